extern "C" {
    fn i2c_read(addr: u8, reg: u8, buf: *mut u8, len: u32) -> i32;
    fn i2c_write(addr: u8, reg: u8, buf: *const u8, len: u32) -> i32;
}

#[no_mangle]
pub extern "C" fn read_temperature() -> f32 {
    let mut raw = [0u8; 2];
    unsafe {
        i2c_read(0x48, 0x00, raw.as_mut_ptr(), 2);
    }
    let raw_val = i16::from_be_bytes(raw);
    (raw_val as f32) * 0.0625
}
