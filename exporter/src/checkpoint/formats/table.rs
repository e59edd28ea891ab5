//! A LevelDB table: sorted keys with values, in blocks with checksums.
//!
//! The maintained crates for it, sstable and rusty-leveldb, are made for files that they wrote
//! themselves: they panic at a length beyond the block, allocate the size in a damaged footer
//! without a check, and silently skip a block with a wrong checksum. Here every length is checked
//! against the bytes that exist, and the size of decompressed blocks and of keys with shared
//! prefixes is limited.

use std::borrow::Cow;

/// The last bytes of a table.
pub(super) const MAGIC: [u8; 8] = [0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb];

/// Size of the footer: two handles of at most twenty bytes each, and the magic.
const FOOTER: usize = 48;

/// Size of what follows a block: the type of its compression, and its checksum.
const TRAILER: usize = 5;

/// The most bytes that all decompressed blocks and all entries may take together. The index of a
/// large model with its optimizer takes 200 kB.
const MOST_BYTES: usize = 64 << 20;

/// Memory of an entry without its key and its value, in bytes.
const ENTRY: usize = size_of::<(Vec<u8>, Vec<u8>)>();

type Result<T> = std::result::Result<T, String>;

/// The keys and values of a table, in order.
pub(super) fn entries(table: &[u8]) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let end = table.len().checked_sub(FOOTER);
    let (body, footer) = end
        .and_then(|end| table.split_at_checked(end))
        .ok_or("it is shorter than its footer")?;
    let handles = footer.strip_suffix(&MAGIC).ok_or("it ends like no table")?;
    let mut handles = Cursor(handles);
    // The first handle is that of filters, which aren't needed to read the whole table.
    handles.handle()?;
    let mut budget = MOST_BYTES;
    let index = block(body, handles.handle()?, &mut budget)?;
    let mut found: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    for (_, handle) in block_entries(&index, &mut budget)? {
        let data = block(body, Cursor(&handle).handle()?, &mut budget)?;
        for entry in block_entries(&data, &mut budget)? {
            if found.last().is_some_and(|(last, _)| *last >= entry.0) {
                return Err("its keys are not in order".to_owned());
            }
            found.push(entry);
        }
    }
    Ok(found)
}

/// The place of a block.
struct Handle {
    offset: u64,
    size: u64,
}

/// The bytes of a block.
fn block<'t>(body: &'t [u8], handle: Handle, budget: &mut usize) -> Result<Cow<'t, [u8]>> {
    let start = usize::try_from(handle.offset).ok();
    let size = usize::try_from(handle.size).ok();
    let rest = start.and_then(|start| body.get(start..));
    let split = size.and_then(|size| rest?.split_at_checked(size));
    let (content, trailer) = split.ok_or("a block lies outside of the file")?;
    let trailer: [u8; TRAILER] = *trailer
        .first_chunk()
        .ok_or("a block lies outside of the file")?;
    let [compression, checksum @ ..] = trailer;
    let found = crc32c::crc32c_append(crc32c::crc32c(content), &[compression]);
    if masked(found) != u32::from_le_bytes(checksum) {
        return Err("a block doesn't match its checksum".to_owned());
    }
    match compression {
        0 => {
            spend(budget, content.len())?;
            Ok(Cow::Borrowed(content))
        }
        1 => {
            let unfolded = snap::raw::decompress_len(content).map_err(|it| it.to_string())?;
            spend(budget, unfolded)?;
            let unfolded = snap::raw::Decoder::new().decompress_vec(content);
            unfolded.map(Cow::Owned).map_err(|it| it.to_string())
        }
        other => Err(format!(
            "a block is compressed in way {other}, which is not known"
        )),
    }
}

/// The keys and values of a block. It consists of entries, whose keys share a prefix with the
/// preceding key, and then the offsets of entries with complete keys.
fn block_entries(block: &[u8], budget: &mut usize) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let (rest, restarts) = block.split_last_chunk().ok_or("a block is empty")?;
    let restarts = (u32::from_le_bytes(*restarts) as usize).checked_mul(4);
    let end = restarts.and_then(|it| rest.len().checked_sub(it));
    let entries = end
        .and_then(|end| rest.get(..end))
        .ok_or("a block ends in its entries")?;
    let mut cursor = Cursor(entries);
    let mut key: Vec<u8> = Vec::new();
    let mut found = Vec::new();
    while !cursor.0.is_empty() {
        let shared = cursor.length()?;
        let own = cursor.length()?;
        let value = cursor.length()?;
        if shared > key.len() {
            return Err("a key shares more than the key before has".to_owned());
        }
        key.truncate(shared);
        key.extend(cursor.take(own)?);
        let value = cursor.take(value)?;
        // Even an entry of three bytes is kept as two vectors, whose memory counts as well.
        spend(budget, ENTRY + key.len() + value.len())?;
        found.push((key.clone(), value.to_vec()));
    }
    Ok(found)
}

fn spend(budget: &mut usize, bytes: usize) -> Result<()> {
    let rest = budget.checked_sub(bytes);
    *budget = rest.ok_or_else(|| format!("it unfolds to more than {MOST_BYTES} bytes"))?;
    Ok(())
}

/// A CRC-32C as LevelDB and TensorFlow store it.
pub(super) fn masked(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

/// Bytes that are read from the start.
struct Cursor<'b>(&'b [u8]);

impl<'b> Cursor<'b> {
    fn handle(&mut self) -> Result<Handle> {
        Ok(Handle {
            offset: self.varint()?,
            size: self.varint()?,
        })
    }

    fn varint(&mut self) -> Result<u64> {
        prost::encoding::decode_varint(&mut self.0).map_err(|it| it.to_string())
    }

    fn length(&mut self) -> Result<usize> {
        usize::try_from(self.varint()?).map_err(|it| it.to_string())
    }

    fn take(&mut self, length: usize) -> Result<&'b [u8]> {
        let (taken, rest) = self
            .0
            .split_at_checked(length)
            .ok_or("an entry ends outside of its block")?;
        self.0 = rest;
        Ok(taken)
    }
}
