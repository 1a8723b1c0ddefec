//! Ports for a cluster that keeps them while its nodes die and come back.
//!
//! Port 0 will not do: members are named with their addresses before they start, and a node that was killed must find
//! its port free. So a block of ports is taken below the range from which the kernel draws ports for outgoing
//! connections, and one port of it is held open for as long as the block is in use, which keeps other test programs out.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use anyhow::{Result, bail};

/// The first port of the first block.
const FIRST: u16 = 10_240;
/// Blocks of [`SIZE`] ports below 32,768, where Linux's range for outgoing connections begins.
const BLOCKS: u16 = 1_400;
/// Ports in a block; the last is the one that holds it.
const SIZE: u16 = 16;

/// A block of ports on loopback, ours while this lives.
#[derive(Debug)]
pub struct PortBlock {
    first: u16,
    _held: TcpListener,
}

impl PortBlock {
    /// Takes a block that nobody holds and of which no port is in use.
    pub fn take() -> Result<Self> {
        let start = u16::try_from(std::process::id() % u32::from(BLOCKS))?;
        for step in 0..BLOCKS {
            let first = FIRST + (start + step) % BLOCKS * SIZE;
            let Ok(held) = TcpListener::bind((Ipv4Addr::LOCALHOST, first + SIZE - 1)) else {
                continue;
            };
            if (first..first + SIZE - 1)
                .all(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok())
            {
                return Ok(Self { first, _held: held });
            }
        }
        bail!("no block of {SIZE} free ports on loopback")
    }

    /// Where node `id` (from 1) serves HTTP.
    pub fn http(&self, id: u64) -> SocketAddr {
        self.port(2 * id - 2)
    }

    /// Where node `id` (from 1) hears its peers.
    pub fn peer(&self, id: u64) -> SocketAddr {
        self.port(2 * id - 1)
    }

    fn port(&self, offset: u64) -> SocketAddr {
        let offset = u16::try_from(offset)
            .ok()
            .filter(|offset| *offset < SIZE - 1);
        let offset = offset.expect("a block has room for seven nodes");
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.first + offset))
    }
}
