use std::env::consts;

use super::{Build, SetupError, openvino};

/// A Python package for one platform, and the libraries that are unpacked from it.
pub(super) struct Wheel {
    /// The platform, as pip calls it.
    pub(super) platform: &'static str,
    /// SHA-256 of the whole file.
    pub(super) sha256: &'static str,
    /// The folder of the libraries in the wheel.
    pub(super) folder: &'static str,
    /// The libraries in that folder, each with its SHA-256; the one to load comes first.
    pub(super) libraries: &'static [(&'static str, &'static str)],
}

impl Wheel {
    /// The library to load.
    pub(super) fn library(&self) -> &'static str {
        self.libraries[0].0
    }
}

/// The wheel of a build for this machine.
pub(super) fn wheel(build: Build) -> Result<&'static Wheel, SetupError> {
    let musl = cfg!(target_env = "musl");
    match (build, consts::OS, consts::ARCH) {
        (Build::Cpu, "linux", "x86_64") if !musl => Ok(&LINUX_X86_64),
        (Build::Cpu, "linux", "aarch64") if !musl => Ok(&LINUX_AARCH64),
        (Build::Cpu, "macos", "aarch64") => Ok(&MACOS_AARCH64),
        (Build::Cpu, "windows", "x86_64") => Ok(&WINDOWS_X86_64),
        (Build::Gpu, "linux", "x86_64") if !musl => Ok(&LINUX_X86_64_GPU),
        (Build::OpenVino, "linux", "x86_64") if !musl => Ok(&openvino::LINUX_X86_64),
        (Build::OpenVino, "linux", "aarch64") if !musl => Ok(&openvino::LINUX_AARCH64),
        (Build::OpenVino, "macos", "aarch64") => Ok(&openvino::MACOS_AARCH64),
        (Build::OpenVino, "windows", "x86_64") => Ok(&openvino::WINDOWS_X86_64),
        _ => Err(SetupError::Platform {
            build,
            platform: format!(
                "{} {}{}",
                consts::OS,
                consts::ARCH,
                if musl { " with musl" } else { "" }
            ),
        }),
    }
}

/// The folder of the libraries in ONNX Runtime's wheels.
const ORT: &str = "onnxruntime/capi";

const LINUX_X86_64: Wheel = Wheel {
    platform: "manylinux_2_28_x86_64",
    sha256: "1f3dea47f2f0e5117c2404cea7d21fd253ae7836a3bf167a501cdfbb2600d536",
    folder: ORT,
    libraries: &[
        (
            "libonnxruntime.so.1.31.1",
            "fc44112fbe06d7d689c57e11d3862031f64711007e4ee020f8eed5185fd2c1d3",
        ),
        (
            "libonnxruntime_providers_shared.so",
            "086ec1d5388f64153d9c63470d126693db9a182c8ce236d3a1119068471b8a0d",
        ),
    ],
};

const LINUX_AARCH64: Wheel = Wheel {
    platform: "manylinux_2_28_aarch64",
    sha256: "0b9a492176886992e0e875f06bc0367e333f5fff11711a2d642e18b02f3009cc",
    folder: ORT,
    libraries: &[
        (
            "libonnxruntime.so.1.31.1",
            "8aa3b76b28c778a2b1dd660d34161adb1d508c9ccd04ff9dc80e26eca5df8467",
        ),
        (
            "libonnxruntime_providers_shared.so",
            "3b6be288fbfb7dff8770d08a23defdde18e8f7e0f5a2b344a0e5e238c999ea88",
        ),
    ],
};

const MACOS_AARCH64: Wheel = Wheel {
    platform: "macosx_14_0_arm64",
    sha256: "96dd2564b10ea7153ad9c207e7cd8e5917cb3ba521e0e0a62ac03486fdc8d56c",
    folder: ORT,
    libraries: &[(
        "libonnxruntime.1.31.1.dylib",
        "d586cbe89effc085a09d3341b3cfbd5c322517f9d397aeb20814af21433f2b36",
    )],
};

const WINDOWS_X86_64: Wheel = Wheel {
    platform: "win_amd64",
    sha256: "ae8a9a351efda685cc59a66226cdefaa37a126c1d66872ca23a2de9425326130",
    folder: ORT,
    libraries: &[
        (
            "onnxruntime.dll",
            "e45f61e50d8650885452be538a00bb14a715e46a1bc3691000ce947e89ed0306",
        ),
        (
            "onnxruntime_providers_shared.dll",
            "02b3edadc03a2bddd90bcbd090733a2c458f4aff8be2cebb6070428e81c6d41e",
        ),
    ],
};

const LINUX_X86_64_GPU: Wheel = Wheel {
    platform: "manylinux_2_28_x86_64",
    sha256: "05d548956197b9d01f59b625de740e0d6be3593f874e241a12dc0362650ecdf7",
    folder: ORT,
    libraries: &[
        (
            "libonnxruntime.so.1.31.1",
            "5104254339ecadae808da771bd0b63b240f0dbd466514234905e54372435c303",
        ),
        (
            "libonnxruntime_providers_shared.so",
            "086ec1d5388f64153d9c63470d126693db9a182c8ce236d3a1119068471b8a0d",
        ),
        (
            "libonnxruntime_providers_cuda.so",
            "8387867e857499e045caff5d13ac6a5de29571c801562fa2dde0e45f1f31de52",
        ),
        (
            "libonnxruntime_providers_tensorrt.so",
            "1882ee49fdb0e6fc2d272b00cfaf9a3310bf8580a34385c0eec4d82014ea172e",
        ),
    ],
};
