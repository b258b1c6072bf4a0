//! Runs the program, which tries what its workers can do.

use std::io::{self, Write};
use std::process::Command;

#[test]
fn a_worker_computes_and_can_do_nothing_else() -> io::Result<()> {
    let output = Command::new(env!("CARGO_BIN_EXE_sandbox")).output()?;
    let (told, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if errors.contains("no sandbox here") {
        // Not `eprintln`, which a test that passes keeps to itself.
        writeln!(io::stderr(), "not tried: this system refuses a sandbox\n{errors}")?;
        assert!(!output.status.success(), "a program without its sandbox must not go on");
        return Ok(());
    }
    assert!(output.status.success(), "{output:?}");
    let refused = |what: &str| format!("{what}: refused to a worker: Operation not permitted (os error 1)");
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines[0], "sum of squares: 14");
    assert!(lines[1].starts_with("/etc/passwd: ") && lines[1].ends_with(" bytes for this process"), "{told}");
    assert_eq!(lines[2..5], ["/etc/passwd", "network", "/bin/true"].map(refused));
    assert!(lines[5].starts_with("crash: its process ") && lines[5].contains("was ended by SIGABRT"), "{told}");
    Ok(())
}
