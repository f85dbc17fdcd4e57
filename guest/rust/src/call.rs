//! What the calls of "wasi_sn" have in common: codes, and names.
//!
//! SPDX-License-Identifier: Apache-2.0

mod imports {
    #[link(wasm_import_module = "wasi_sn")]
    extern "C" {
        #[link_name = "lastError"]
        pub fn last_error() -> i32;
    }
}

/// Why a call was not done: the host's code, below 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Error(pub i32);

impl Error {
    /// Not granted.
    pub const DENIED: Error = Error(-1);
    /// No such sensor, capability or attribute; no message; no gateway.
    pub const NOT_FOUND: Error = Error(-2);
    /// An argument out of its range, or a value that does not fit into what was asked for.
    pub const RANGE: Error = Error(-3);
    /// Held by another module.
    pub const BUSY: Error = Error(-4);
    /// The bus or the sensor failed; nobody answered.
    pub const IO: Error = Error(-5);
    /// The buffer is too small, or there is no room for one more.
    pub const SPACE: Error = Error(-6);
    /// Not a handle or a topic for this call.
    pub const INVALID: Error = Error(-7);
    /// Not now: not started, not connected, asleep.
    pub const STATE: Error = Error(-8);
    /// Too many messages in a short time; later is well.
    pub const RATE: Error = Error(-9);
    /// The gateway refused it.
    pub const REJECTED: Error = Error(-10);

    /// The number that a call returned, unless it is a code.
    pub(crate) fn check(returned: i32) -> Result<i32, Error> {
        if returned < 0 {
            Err(Error(returned))
        } else {
            Ok(returned)
        }
    }

    /// What a call that returns a Boolean came to.
    pub(crate) fn unless(done: i32) -> Result<(), Error> {
        if done == 1 {
            Ok(())
        } else {
            Err(Error(unsafe { imports::last_error() }))
        }
    }
}

/// A name of a sensor, a capability, an attribute, a topic or a gateway, ended by a zero byte as the
/// host wants it: `name!("BME280")`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Name<'a>(pub(crate) &'a [u8]);

/// A [`Name`] of a literal.
#[macro_export]
macro_rules! name {
    ($text:literal) => {
        $crate::Name::new(concat!($text, "\0"))
    };
}

impl<'a> Name<'a> {
    /// text ends with a zero byte; anything else does not compile when the name is a constant, and
    /// panics when it is not.
    pub const fn new(text: &'a str) -> Name<'a> {
        let bytes = text.as_bytes();
        assert!(!bytes.is_empty() && bytes[bytes.len() - 1] == 0);
        Name(bytes)
    }

    /// Without the zero byte. Nothing, if the name is not ASCII, as all names are.
    pub fn text(&self) -> &'a str {
        match self.0.split_last() {
            // ASCII is UTF-8; core's own check of that is larger than most modules.
            Some((_, text)) if text.iter().all(|&byte| byte < 0x80) => unsafe {
                core::str::from_utf8_unchecked(text)
            },
            _ => "",
        }
    }

    pub(crate) fn ptr(&self) -> *const u8 {
        self.0.as_ptr()
    }
}
