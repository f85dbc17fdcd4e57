// An ordinary Rust program with its standard library: what guest.sh runs.
//
// SPDX-License-Identifier: Apache-2.0
use std::time::{Duration, Instant, SystemTime};
use std::{env, fs, io, process, thread};

fn main() -> io::Result<()> {
    println!("{}", env::args().skip(1).collect::<Vec<_>>().join(" "));
    fs::write("/data/from_rust", env::var("WHO").unwrap_or_default())?;
    assert_eq!(fs::read_to_string("/data/from_rust")?, "you");
    fs::create_dir("/data/folder")?;
    fs::rename("/data/from_rust", "/data/folder/moved")?;
    assert_eq!(fs::read_dir("/data/folder")?.count(), 1);
    assert!(fs::metadata("/data/folder/moved")?.modified()? > SystemTime::UNIX_EPOCH);
    assert!(fs::read("/data/../secret").is_err());
    assert!(fs::read("/data/out/secret").is_err());
    fs::remove_dir_all("/data/folder")?;
    let before = Instant::now();
    thread::sleep(Duration::from_millis(30));
    assert!(before.elapsed() >= Duration::from_millis(30));
    process::exit(4)
}
