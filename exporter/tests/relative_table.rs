//! The table of relative positions against torch's.

use std::fs;

use nezha_exporter::nezha::relative_position_table;
use safetensors::SafeTensors;
use testkit::repository;

#[test]
fn the_table_is_torchs_within_an_ulp_of_its_exponential() {
    let path = repository("tests/fixtures/relative-table.safetensors");
    let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let tables = SafeTensors::deserialize(&bytes).unwrap();
    assert!(!tables.is_empty(), "{} has no tables", path.display());
    for (name, torch) in tables.tensors() {
        let (reach, size) = name
            .strip_prefix('M')
            .and_then(|it| it.split_once("_D"))
            .unwrap_or_else(|| panic!("table '{name}' is not called M…_D…"));
        let (reach, size): (usize, usize) = (reach.parse().unwrap(), size.parse().unwrap());
        let rows = 2 * reach + 1;
        assert_eq!(torch.shape(), [rows, size], "{name}");
        let table = relative_position_table(reach, size);
        assert_eq!(table.len(), rows * size, "{name}");
        let tolerance = rows as f32 * 2f32.powi(-24);
        for (i, (ours, theirs)) in table.iter().zip(torch.data().chunks_exact(4)).enumerate() {
            let theirs = f32::from_le_bytes(theirs.try_into().unwrap());
            assert!(
                (ours - theirs).abs() <= tolerance,
                "{name}[{}, {}]: ours {ours}, torch's {theirs}, tolerance {tolerance}",
                i / size,
                i % size,
            );
        }
    }
}
