//! The network: the MQTT-SN calls of "wasi_sn", host interface version 3.
//!
//! The calls link when the manifest asks for at least one capability "topic/<filter>:p", ":s" or
//! ":ps"; what is refused at a call is an [`Error`]. Calls that talk with a gateway wait for it while
//! other modules run; their time does not count.
//!
//! SPDX-License-Identifier: Apache-2.0

use crate::call::{Error, Name};

mod imports {
    #[link(wasm_import_module = "wasi_sn")]
    extern "C" {
        pub fn start(port: i32) -> i32;
        pub fn stop() -> i32;
        #[link_name = "searchGW"]
        pub fn search_gw(address: *const u8, port: i32, hops: i32, buf: *mut u8, len: i32) -> i32;
        pub fn connect(client: *const u8, keep_alive: i32, address: *const u8, port: i32) -> i32;
        pub fn disconnect() -> i32;
        pub fn register(topic: *const u8) -> i32;
        pub fn publish(topic: i32, qos: i32, data: *const u8, len: i32) -> i32;
        pub fn subscribe(topic: i32, qos: i32) -> i32;
        #[link_name = "subscribeTo"]
        pub fn subscribe_to(filter: *const u8, qos: i32) -> i32;
        pub fn unsubscribe(topic: i32) -> i32;
        #[link_name = "hasMessage"]
        pub fn has_message(topic: i32) -> i32;
        #[link_name = "getMessage"]
        pub fn get_message(topic: i32, buf: *mut u8, len: i32) -> i32;
        #[link_name = "peekMessage"]
        pub fn peek_message(topic: i32, buf: *mut u8, len: i32) -> i32;
        pub fn sleep(seconds: i32) -> i32;
        pub fn collect() -> i32;
        pub fn awake() -> i32;
        pub fn network(buf: *mut u8) -> i32;
    }
}

/// A gateway's address as a text, and its UDP port.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    pub address: Name<'a>,
    pub port: u16,
}

/// The gateway that was found, or else the device's own.
pub const DEVICES: Place = Place { address: Name::new("\0"), port: 0 };

/// Begins, on this UDP port of the device or, with 0, on any: the port that it is. What has begun
/// already stays as it is.
pub fn start(port: u16) -> Result<u16, Error> {
    Ok(Error::check(unsafe { imports::start(port as i32) })? as u16)
}

/// Ends it all: topics, subscriptions and messages are gone. Does not wait.
pub fn stop() -> Result<(), Error> {
    Error::unless(unsafe { imports::stop() })
}

/// Asks a multicast or broadcast address, at most so many hops away, 0 for the device's own choice.
/// The address of the gateway that answered first, in buf.
pub fn search_gw<'a>(at: Place, hops: u8, buf: &'a mut [u8]) -> Result<Name<'a>, Error> {
    let (ptr, room) = (buf.as_mut_ptr(), buf.len() as i32);
    let returned =
        unsafe { imports::search_gw(at.address.ptr(), at.port as i32, hops as i32, ptr, room) };
    let len = Error::check(returned)? as usize;
    // The host has written at most the length that it was told.
    Ok(Name(unsafe { core::slice::from_raw_parts(ptr, len) }))
}

/// client_id is a name of up to 23 letters, digits, '.', '_' and '-' (empty for the module's own),
/// put behind the device's prefix. keep_alive in seconds; 0 is 30.
pub fn connect(client_id: Name, keep_alive: u16, at: Place) -> Result<(), Error> {
    let (client, address) = (client_id.ptr(), at.address.ptr());
    Error::unless(unsafe {
        imports::connect(client, keep_alive as i32, address, at.port as i32)
    })
}

pub fn disconnect() -> Result<(), Error> {
    Error::unless(unsafe { imports::disconnect() })
}

/// The gateway keeps messages for so many seconds at most (0: the keep-alive's), which [`collect`]
/// fetches.
pub fn sleep(seconds: u16) -> Result<(), Error> {
    Error::unless(unsafe { imports::sleep(seconds as i32) })
}

/// While asleep: fetches what the gateway has kept, and sleeps on.
pub fn collect() -> Result<(), Error> {
    Error::unless(unsafe { imports::collect() })
}

/// To be there again, with all topics and subscriptions.
pub fn awake() -> Result<(), Error> {
    Error::unless(unsafe { imports::awake() })
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Qos {
    /// Sent once.
    AtMostOnce,
    /// Until the gateway has it, perhaps twice.
    AtLeastOnce,
    ExactlyOnce,
}

/// A topic's name or a filter, by the host's number for it. Good until [`stop`], over any number of
/// connections.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Topic(i32);

impl Topic {
    /// In the place of a topic for receiving: whatever has come.
    pub const ANY: Topic = Topic(0);

    pub fn register(name: Name) -> Result<Topic, Error> {
        Ok(Topic(Error::check(unsafe { imports::register(name.ptr()) })?))
    }

    /// To receive what is published to any topic that a filter stands for: "hall/+/door", "hall/#".
    pub fn subscribe_to(filter: Name, qos: Qos) -> Result<Topic, Error> {
        Ok(Topic(Error::check(unsafe { imports::subscribe_to(filter.ptr(), qos as i32) })?))
    }

    pub fn publish(&self, qos: Qos, data: &[u8]) -> Result<(), Error> {
        let (ptr, len) = (data.as_ptr(), data.len() as i32);
        Error::unless(unsafe { imports::publish(self.0, qos as i32, ptr, len) })
    }

    pub fn subscribe(&self, qos: Qos) -> Result<(), Error> {
        Error::unless(unsafe { imports::subscribe(self.0, qos as i32) })
    }

    pub fn unsubscribe(&self) -> Result<(), Error> {
        Error::unless(unsafe { imports::unsubscribe(self.0) })
    }

    pub fn has_message(&self) -> bool {
        unsafe { imports::has_message(self.0) == 1 }
    }

    /// Takes the oldest message: its bytes in buf. [`Error::SPACE`]: it is longer, and stays.
    pub fn get_message<'a>(&self, buf: &'a mut [u8]) -> Result<&'a [u8], Error> {
        let (ptr, room) = (buf.as_mut_ptr(), buf.len() as i32);
        let len = Error::check(unsafe { imports::get_message(self.0, ptr, room) })? as usize;
        // As above.
        Ok(unsafe { core::slice::from_raw_parts(ptr, len) })
    }

    /// The oldest message, which stays; its topic's name in buf, as much as fits behind 8 bytes.
    pub fn peek_message<'a>(&self, buf: &'a mut [u8]) -> Result<Message<'a>, Error> {
        let (ptr, room) = (buf.as_mut_ptr(), buf.len() as i32);
        let name = Error::check(unsafe { imports::peek_message(self.0, ptr, room) })? as usize;
        let bytes = unsafe { core::slice::from_raw_parts(ptr, room as usize) };
        match bytes {
            [low, high, qos, retained, _, _, _, _, rest @ ..] => Ok(Message {
                len: u16::from_le_bytes([*low, *high]),
                qos: *qos,
                retained: *retained == 1,
                topic: rest.get(..name).unwrap_or(rest),
            }),
            _ => Err(Error::SPACE),
        }
    }
}

/// What there is to know of a message.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    pub len: u16,
    pub qos: u8,
    /// It was published before the subscription.
    pub retained: bool,
    /// The name, cut off when there was no room.
    pub topic: &'a [u8],
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Link {
    Stopped,
    Started,
    Connected,
    Asleep,
    /// The gateway is gone; connect again.
    Lost,
}

/// How things are.
#[derive(Clone, Copy, Debug)]
pub struct Status {
    pub link: Link,
    /// Messages of the longest kind that can wait.
    pub queue: u16,
    /// Ids that there can be.
    pub topics: u16,
    /// The longest message to publish.
    pub message_bytes: u32,
    /// Messages that came and had no room.
    pub dropped: u32,
    /// Calls that were not granted, of sensors too.
    pub refused: u32,
    pub sent: u32,
    pub received: u32,
}

pub fn status() -> Status {
    let mut record = [0u8; 28];
    unsafe { imports::network(record.as_mut_ptr()) };
    let short = |at: usize| u16::from_le_bytes([record[at], record[at + 1]]);
    let long = |at: usize| {
        u32::from_le_bytes([record[at], record[at + 1], record[at + 2], record[at + 3]])
    };
    Status {
        link: match record[0] {
            0 => Link::Stopped,
            1 => Link::Started,
            2 => Link::Connected,
            3 => Link::Asleep,
            _ => Link::Lost,
        },
        queue: short(4),
        topics: short(6),
        message_bytes: long(8),
        dropped: long(12),
        refused: long(16),
        sent: long(20),
        received: long(24),
    }
}
