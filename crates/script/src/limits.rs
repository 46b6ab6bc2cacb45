//! What a worker process takes from itself before it runs a program.

use std::io;

use rustix::process::{Resource, Rlimit, setrlimit};

/// Limits this process: `memory` bytes of address space beyond what it has now, no new file descriptor, no file
/// growth, no process or thread, no core dump. Limits can be lowered without a privilege and not be raised again.
pub(crate) fn apply(memory: u64) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    fixed(Resource::As, address_space()?.saturating_add(memory))?;
    #[cfg(not(target_os = "linux"))]
    let _ = memory;
    fixed(Resource::Nofile, 3)?;
    fixed(Resource::Fsize, 0)?;
    fixed(Resource::Core, 0)?;
    fixed(Resource::Nproc, 0)
}

fn fixed(resource: Resource, value: u64) -> io::Result<()> {
    Ok(setrlimit(resource, Rlimit { current: Some(value), maximum: Some(value) })?)
}

/// The size of this process's address space in bytes. The binary and the interpreter's stack are mapped already and
/// differ between builds, so that an absolute limit would say little about what programs may use.
#[cfg(target_os = "linux")]
fn address_space() -> io::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let size = status.lines().find_map(|line| line.strip_prefix("VmSize:"));
    let kib = size.and_then(|size| size.trim().strip_suffix("kB")).and_then(|size| size.trim().parse::<u64>().ok());
    let kib = kib.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "cannot read the size of the process"))?;
    Ok(kib.saturating_mul(1024))
}
