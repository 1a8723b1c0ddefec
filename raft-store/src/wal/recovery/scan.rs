//! What the segments hold as far as their groups tell, and where the log ends.

use std::path::Path;

use super::super::format::{BLOCK, GroupHeader, Position, SegmentHeader, VERSION};
use super::super::{Owner, Place, WalError};
use super::{FIRST, read_whole};

/// What can be told of a segment without looking into its records.
pub(super) struct Scan {
    pub(super) number: u64,
    /// `None` where it is bad: the segment was allocated ahead, or its first write was lost.
    header: Option<SegmentHeader>,
    /// Where the row of good groups ends, and what is wrong there.
    pub(super) end: u64,
    pub(super) problem: &'static str,
    /// Where the last byte behind the end that is not zero ends; `end` where there is none.
    pub(super) rest_end: u64,
    /// Nothing was ever written to it.
    pub(super) blank: bool,
    /// Size of the file.
    pub(super) size: u64,
    /// The highest place that anything in the segment says was synced.
    pub(super) proven: Position,
}

impl Scan {
    pub(super) fn of(place: &Place, number: u64) -> Result<Self, WalError> {
        let path = place.segment(number);
        let (_, bytes) = read_whole(place, &path)?;
        let mut proven = Position::ZERO;
        let header = SegmentHeader::decode(&bytes, number);
        if let Some(header) = header {
            check_owner(place, &path, header)?;
            if header.previous_end > 0 {
                proven = Position {
                    segment: number - 1,
                    offset: header.previous_end,
                };
            }
        }
        let mut at = Position::first(number);
        let problem = loop {
            match group_at(&bytes, at) {
                Ok((header, _)) => {
                    proven = proven.max(header.synced_to);
                    at.offset += header.size();
                }
                Err(problem) => break problem,
            }
        };
        let rest = tail(&bytes, at).iter().rposition(|byte| *byte != 0);
        if rest.is_some() {
            // Headers behind the end still say how far the log was synced.
            let mut behind = at;
            while !tail(&bytes, behind).is_empty() {
                if let Some(header) = GroupHeader::decode(tail(&bytes, behind), behind) {
                    proven = proven.max(header.synced_to);
                }
                behind.offset += BLOCK;
            }
        }
        let end = at.offset;
        let rest_end = end + rest.map_or(0, |last| last as u64 + 1);
        Ok(Self {
            number,
            header,
            end,
            problem,
            rest_end,
            blank: bytes.iter().all(|byte| *byte == 0),
            size: bytes.len() as u64,
            proven,
        })
    }
}

fn check_owner(place: &Place, path: &Path, header: SegmentHeader) -> Result<(), WalError> {
    let path = path.to_owned();
    if header.version != VERSION {
        return Err(WalError::Format {
            path,
            found: header.version,
        });
    }
    if header.owner != place.owner {
        let Owner { node, instance } = header.owner;
        return Err(WalError::Foreign {
            path,
            node,
            instance,
        });
    }
    Ok(())
}

/// Decides where the log ends: at the first place that cannot be read, unless it was synced.
pub(super) fn judge(
    place: &Place,
    scans: &[Scan],
    synced_to: Position,
) -> Result<Position, WalError> {
    let damaged = |at, problem| {
        Err(WalError::Damaged {
            dir: place.dir.clone(),
            at,
            problem,
            synced_to,
        })
    };
    let beginning = |scan: &Scan| Position {
        segment: scan.number,
        offset: 0,
    };
    let mut end = Position::ZERO;
    for (position, scan) in scans.iter().enumerate() {
        let Some(header) = scan.header else {
            // Others than the first are judged by the one before them.
            return damaged(beginning(scan), "the segment's header does not check");
        };
        end = Position {
            segment: scan.number,
            offset: scan.end,
        };
        if position == 0 && scan.number > FIRST && scan.end == BLOCK {
            // Segments are deleted only when what is needed of them is synced in a later one.
            return damaged(end, scan.problem);
        }
        if scan.size < header.capacity {
            // No crash shortens a file: its size was durable before anything was written to it.
            let at = Position {
                offset: scan.size,
                ..end
            };
            return damaged(at, "the file is shorter than it was made");
        }
        let next = scans.get(position + 1);
        match next.and_then(|next| next.header) {
            Some(next) if next.previous_end == scan.end => {}
            Some(_) => return damaged(end, scan.problem),
            None if synced_to > end => return damaged(end, scan.problem),
            None => {
                // Only the last file may have no header: the next one is made when it is synced.
                if let Some(next) = next
                    && position + 2 < scans.len()
                {
                    let problem = "the segment's header does not check, and a segment follows";
                    return damaged(beginning(next), problem);
                }
                break;
            }
        }
    }
    Ok(end)
}

/// The bytes from a place to the end of the segment.
pub(super) fn tail(segment: &[u8], at: Position) -> &[u8] {
    usize::try_from(at.offset)
        .ok()
        .and_then(|start| segment.get(start..))
        .unwrap_or_default()
}

/// The group at a place with all of its bytes, or what is wrong there.
pub(super) fn group_at(segment: &[u8], at: Position) -> Result<(GroupHeader, &[u8]), &'static str> {
    let bytes = tail(segment, at);
    let header = GroupHeader::decode(bytes, at).ok_or("no group's header checks there")?;
    let size = usize::try_from(header.size()).unwrap_or(usize::MAX);
    let bytes = bytes
        .get(..size)
        .ok_or("the group is longer than its segment")?;
    if header.body_sound(bytes, at) {
        Ok((header, bytes))
    } else {
        Err("the group's checksum does not match")
    }
}
