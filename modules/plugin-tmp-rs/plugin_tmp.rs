//! The plugin that the article "WASM for IoT Firmware Updates" prints, unmodified in article.rs:
//! here is only what a crate needs around it. It takes the register as right-justified, so it fits a
//! chip that is; plugin-tmp105 has the same for one that is not.
//!
//! SPDX-License-Identifier of what is not the article's: Apache-2.0
#![no_std]
#![allow(dead_code)] // it declares i2c_write and does not call it

extern crate sandmote; // the panic handler

include!("article.rs");
