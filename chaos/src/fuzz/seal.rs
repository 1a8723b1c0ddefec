//! Checksums in their places, as the formats say (`wal/format.rs`, `snapshot/format.rs` of the store): without them
//! almost every input would be refused for a checksum, and nothing behind it would be read.

const BLOCK: usize = 512;
const GROUP_HEADER: usize = 64;
const RECORD_HEADER: usize = 9;
const GROUP_MAGIC: &[u8] = b"IPAMgrp\x01";
/// What a segment says of the machine that it is of.
const OWNER: std::ops::Range<usize> = 24..48;

/// Makes `bytes` a segment of that number, on the machine of the segment `sound`: its header, and each group and record
/// that it has, where they are.
pub(super) fn segment(bytes: &mut [u8], number: u64, sound: &[u8]) {
    let Some((header, _)) = bytes.split_at_mut_checked(BLOCK) else {
        return;
    };
    header[..8].copy_from_slice(&sound[..8]);
    header[16..24].copy_from_slice(&number.to_le_bytes());
    header[OWNER].copy_from_slice(&sound[OWNER]);
    put(header, 8, sum(number, 0, &[&header[12..]]));
    let mut offset = BLOCK;
    while offset + GROUP_HEADER <= bytes.len() {
        let is_group = bytes[offset..].starts_with(GROUP_MAGIC);
        let size = if is_group {
            group(&mut bytes[offset..], number, offset)
        } else {
            BLOCK
        };
        offset += size;
    }
}

/// Seals the group at the beginning of `bytes`, and tells how many of them it is.
fn group(bytes: &mut [u8], number: u64, offset: usize) -> usize {
    let body = u32_at(bytes, 48) as usize;
    let size = (GROUP_HEADER + body).next_multiple_of(BLOCK);
    let Some(bytes) = bytes.get_mut(..size) else {
        return BLOCK;
    };
    let mut at = GROUP_HEADER;
    while at + RECORD_HEADER <= GROUP_HEADER + body {
        let end = at + RECORD_HEADER + u32_at(bytes, at) as usize;
        if end > size {
            break;
        }
        let record = &mut bytes[at..end];
        let checksum = sum(number, offset + at, &[&record[..4], &record[8..]]);
        put(record, 4, checksum);
        at = end;
    }
    bytes[16..24].copy_from_slice(&number.to_le_bytes());
    bytes[24..32].copy_from_slice(&(offset as u64).to_le_bytes());
    let checksum = sum(number, offset, &[&bytes[GROUP_HEADER..]]);
    put(bytes, 12, checksum);
    let checksum = sum(number, offset, &[&bytes[12..GROUP_HEADER]]);
    put(bytes, 8, checksum);
    size
}

/// Gives a snapshot the checksum at its end.
pub(super) fn snapshot(bytes: &mut [u8]) {
    if let Some((all, last)) = bytes.split_last_chunk_mut::<4>() {
        *last = crc32c::crc32c(all).to_le_bytes();
    }
}

/// The checksum of what stands at that place of the log.
fn sum(segment: u64, offset: usize, parts: &[&[u8]]) -> u32 {
    let place = [segment.to_le_bytes(), (offset as u64).to_le_bytes()].concat();
    let parts = parts.iter();
    parts.fold(crc32c::crc32c(&place), |sum, part| {
        crc32c::crc32c_append(sum, part)
    })
}

fn put(bytes: &mut [u8], at: usize, checksum: u32) {
    bytes[at..at + 4].copy_from_slice(&checksum.to_le_bytes());
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let bytes = bytes
        .get(at..at + 4)
        .and_then(|bytes| bytes.try_into().ok());
    u32::from_le_bytes(bytes.unwrap_or_default())
}
