//! What a plugin imports: one bus, of which the host allows it one address.
//!
//! It exports `read_NAME` for each capability of its manifest, `set_NAME` and `get_NAME` for its
//! attributes; doc/plugins.md says more. Bus and address were bound when it was installed: a call
//! that names another address is refused and logged, and nothing is sent.
//!
//! SPDX-License-Identifier: Apache-2.0

use crate::Error;

mod imports {
    #[link(wasm_import_module = "env")]
    extern "C" {
        pub fn i2c_read(addr: u32, reg: u32, buf: *mut u8, len: u32) -> i32;
        pub fn i2c_write(addr: u32, reg: u32, buf: *const u8, len: u32) -> i32;
        pub fn spi_transfer(out: *const u8, input: *mut u8, len: u32) -> i32;
        pub fn modbus_read(reg: u32, buf: *mut u16, count: u32) -> i32;
        pub fn modbus_read_input(reg: u32, buf: *mut u16, count: u32) -> i32;
        pub fn modbus_write(reg: u32, buf: *const u16, count: u32) -> i32;
    }
}

/// DENIED: another address. RANGE: too many bytes at once. IO: the transfer failed; what was to be
/// read is undefined then.
type Done = Result<(), Error>;

fn done(code: i32) -> Done {
    Error::check(code).map(|_| ())
}

/// Reads from register reg on of the chip at a 7-bit address, at most 256 bytes.
pub fn i2c_read(addr: u8, reg: u8, buf: &mut [u8]) -> Done {
    // The host writes as many bytes as there are before it returns, here and below.
    done(unsafe { imports::i2c_read(addr.into(), reg.into(), buf.as_mut_ptr(), buf.len() as u32) })
}

/// Writes to register reg on, at most 64 bytes.
pub fn i2c_write(addr: u8, reg: u8, buf: &[u8]) -> Done {
    done(unsafe { imports::i2c_write(addr.into(), reg.into(), buf.as_ptr(), buf.len() as u32) })
}

/// Exchanges bytes with the chip of the select line that was bound: those of buf go out, those that
/// come in take their place; at most 64.
pub fn spi_transfer(buf: &mut [u8]) -> Done {
    let bytes = buf.as_mut_ptr();
    done(unsafe { imports::spi_transfer(bytes, bytes, buf.len() as u32) })
}

/// Reads holding registers from reg on of the Modbus unit that was bound, at most 32.
pub fn modbus_read(reg: u16, buf: &mut [u16]) -> Done {
    done(unsafe { imports::modbus_read(reg.into(), buf.as_mut_ptr(), buf.len() as u32) })
}

/// Reads input registers from reg on.
pub fn modbus_read_input(reg: u16, buf: &mut [u16]) -> Done {
    done(unsafe { imports::modbus_read_input(reg.into(), buf.as_mut_ptr(), buf.len() as u32) })
}

/// Writes holding registers from reg on.
pub fn modbus_write(reg: u16, buf: &[u16]) -> Done {
    done(unsafe { imports::modbus_write(reg.into(), buf.as_ptr(), buf.len() as u32) })
}
