#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| chaos::fuzz::read("commands", input));
