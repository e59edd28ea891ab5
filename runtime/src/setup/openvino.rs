//! OpenVINO's wheels. The plugins for CPU, GPU and NPU are unpacked, and the readers of ONNX and of
//! OpenVINO's own cached models. The readers of other formats, and the devices that combine other
//! devices, are not.

use super::wheel::Wheel;

/// The folder of the libraries in OpenVINO's wheels.
const FOLDER: &str = "openvino/libs";

pub(super) const LINUX_X86_64: Wheel = Wheel {
    platform: "manylinux_2_28_x86_64",
    sha256: "6b4375c17ddcac83a5180349e2e2bb811185c261066e2a920659892d58ef0e3b",
    folder: FOLDER,
    libraries: &[
        (
            "libopenvino_c.so.2641",
            "d2d0836d422b21fc5da2739af0d6035df3fc6dd5e4756402eb848974edecf8a5",
        ),
        (
            "cache.json",
            "0b2ad2a99516a3411ce3fef274e8ae2880b41a6f00c9bac6768cd4a94b87c41c",
        ),
        (
            "libhwloc.so.15",
            "e91be9f5bc1c87aadb08f2e19ebcb742979adda0a5434f72650a154e317e7fb1",
        ),
        (
            "libopenvino.so.2641",
            "9b9a80ac1f18e07b13ed54459d9a865bcfe9dc170dbf8fe740c2974b85ecedc1",
        ),
        (
            "libopenvino_intel_cpu_plugin.so",
            "6599e3dd300d047b5ed72f8e48101c5f312c25321f35f57f803641ff8372900b",
        ),
        (
            "libopenvino_intel_gpu_plugin.so",
            "e494cf8fb428f1fecfad35e2bac7b2fb24159ac6b13fe19027f0c4ae36374b33",
        ),
        (
            "libopenvino_intel_npu_plugin.so",
            "911ead691e0f96df5cac7202a74ab1b07a93f0167e404701c0d3548fadbc15e5",
        ),
        (
            "libopenvino_ir_frontend.so.2641",
            "554e9fd3d4a0fbc587c14379464b2324e24b8ea736cfb749ad2cd9e74dfc09e0",
        ),
        (
            "libopenvino_onnx_frontend.so.2641",
            "82d499f5b5e8514def7aaa1ecd5a9f570542d33ae9d00a0077f707cccd0e0192",
        ),
        (
            "libtbb.so.12",
            "ac9518497a4f2cb6729792730f145ee58367316031511923fef263c9ac81ca61",
        ),
        (
            "libtbbbind_2_5.so.3",
            "179ebd1223abd20a461dc978f24090d7ef7c1308b8dff14e4adfe4a21d75543f",
        ),
        (
            "libtbbmalloc.so.2",
            "0cccbdb4783bf190da19b34540fb7f749b0955ec1982d7ac8e5f398365399895",
        ),
    ],
};

pub(super) const LINUX_AARCH64: Wheel = Wheel {
    platform: "manylinux_2_35_aarch64",
    sha256: "82efccb2f9f1bdc7e5a1996e05a3b719ebff9232dd54b44150d6d2e983a86b7d",
    folder: FOLDER,
    libraries: &[
        (
            "libopenvino_c.so.2641",
            "dfb34063847add4fe0689583633e74b69d7844e9e5a4b085476b0861c0b28f51",
        ),
        (
            "libhwloc.so.15",
            "1a676211ff976f372092cc7946f7283fd3cdf68a35710b841dfec07b2d1dbf1a",
        ),
        (
            "libopenvino.so.2641",
            "4a4ce9bb19ab78288b36ff39cbfebf1307c6b1ffda953b0c2b32129a8e89f04a",
        ),
        (
            "libopenvino_arm_cpu_plugin.so",
            "839cb0653151d0962e13a129b7b1ad2ffc700b5a1472e847cdcb83e523cf424e",
        ),
        (
            "libopenvino_ir_frontend.so.2641",
            "0c1e737e93e78b5ffaf854d830140d2d84046847e19cd5226a1aff1c56be4431",
        ),
        (
            "libopenvino_onnx_frontend.so.2641",
            "2ea8eb7270401e9a1ccf4de9f5fc4bcb3177d00f431a8e9bfa24dfe19b7a4578",
        ),
        (
            "libtbb.so.12",
            "07ad125a3e19dbc40cf74ea6d4bd4c67ad7df5aaff9611178eea99592bc7a921",
        ),
        (
            "libtbbbind_2_5.so.3",
            "f9da5eebe1266d410886c5786a24aaa1bfc6359fffa74902b76466d6ea1f1138",
        ),
        (
            "libtbbmalloc.so.2",
            "bca9902d8052b83cf3c23bed67504dfabe7880c6560a7d3de79b81bdb88ba17f",
        ),
    ],
};

pub(super) const MACOS_AARCH64: Wheel = Wheel {
    platform: "macosx_11_0_arm64",
    sha256: "726ac547b8474a5e7b145bc1ae5a8bb6fbcbb60b79bd9a611c67eec2c74b7a5f",
    folder: FOLDER,
    libraries: &[
        (
            "libopenvino_c.2641.dylib",
            "91bbdc63cf27cffb40a049b14d2f66208253b7d36612d9654c72e972aaea8179",
        ),
        (
            "libhwloc.dylib",
            "a0ad981b16ffc476471b0d91ccaaf38fc06119098c1a7ceee1763f408cd4b5b8",
        ),
        (
            "libopenvino.2641.dylib",
            "319dad5cce5990d31151e57af87d41f0f099bfd24b87b2409180f0da47aee910",
        ),
        (
            "libopenvino_arm_cpu_plugin.so",
            "9492edf670e0b7828f7bd2438258350c7b83f696b9cded0d8098acc46c1c1f04",
        ),
        (
            "libopenvino_ir_frontend.2641.dylib",
            "27b8d985caf6165594f6323781cb7ae181779f12d374ef9db23f8597b2248858",
        ),
        (
            "libopenvino_onnx_frontend.2641.dylib",
            "af2f8809719351a0a497e476e067da0e81e84747d7ac918001d815b592770f2c",
        ),
        (
            "libtbb.12.dylib",
            "683e0ffc1ea6ee8a5b8549c3dad02451cb5de32864971a206dc8c8373e0255c1",
        ),
        (
            "libtbbbind_2_5.3.dylib",
            "52645687806d82214a97d5f4493ea85be79b633acab7a8d2157ce8e981181b9a",
        ),
        (
            "libtbbmalloc.2.dylib",
            "146b292ab8a96b875b026abce06bf4d61a693cdaa661f86b3cb60c7747f788ba",
        ),
    ],
};

pub(super) const WINDOWS_X86_64: Wheel = Wheel {
    platform: "win_amd64",
    sha256: "4e04316abff1b99e29b8cbd38deaef9bde4739eba216d982d4b3981e456ecd87",
    folder: FOLDER,
    libraries: &[
        (
            "openvino_c.dll",
            "72d8efa04b926fb4ce62587458d16a1fc1c75dcb2b717a4ce3e28f40c7ae8b43",
        ),
        (
            "cache.json",
            "0b2ad2a99516a3411ce3fef274e8ae2880b41a6f00c9bac6768cd4a94b87c41c",
        ),
        (
            "openvino.dll",
            "f6a5f2491bcc9eee95e755d29e2adffcdbaeb96d967b047d9426ad0c67bcaacf",
        ),
        (
            "openvino_intel_cpu_plugin.dll",
            "25c34927b266b3cd4630e7febc2736cc0c24976039bbf3e56913fc1598671771",
        ),
        (
            "openvino_intel_gpu_plugin.dll",
            "cc5882db2a8a95592b0a21d220a2442a5224936d66f48840d18d46c8697b714b",
        ),
        (
            "openvino_intel_npu_compiler.dll",
            "79a1c471232bf7f3f4d5863d7cc0fbc2f41894542215d98bae3984431e905db2",
        ),
        (
            "openvino_intel_npu_compiler_loader.dll",
            "7b30d111a031cd0370b09e8d7cac03e8117504ff5a6c9bae41730c7099351ae3",
        ),
        (
            "openvino_intel_npu_plugin.dll",
            "5f72a34b24a2fb62c78a3d580fd069d0f124ed0bebe3a112ad6d8ffd7d1fd02b",
        ),
        (
            "openvino_intel_npu_vm_runtime.dll",
            "1c59b71b3f07cc4d1e113fedeb43b2fd327285dabd5e704b51a1f93521c50527",
        ),
        (
            "openvino_ir_frontend.dll",
            "7e773544a7e99301a90d2b8bc914f212c6e511ff5f92f58808bf593bf0e1e509",
        ),
        (
            "openvino_onnx_frontend.dll",
            "305a61060fd64cc3f856e9e81ccc58db821cc6b53d4a94eceb1864c41d5135be",
        ),
        (
            "tbb12.dll",
            "31561a3582e6d0dc5801d079ec23676414296bfce306f0cc9cffbaceaf61d828",
        ),
        (
            "tbbbind_2_5.dll",
            "2401e672c0d36d0501aa43d6a0812a6a3e48c081f5f45b953a7419e60cda6037",
        ),
        (
            "tbbmalloc.dll",
            "60c3960aa9e29eca20eb98b9162be1f29038cae4914de724bffbe4bb2fe17b2e",
        ),
    ],
};
