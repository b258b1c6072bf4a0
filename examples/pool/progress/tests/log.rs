//! Runs the program and reads its log.

use std::io;
use std::process::Command;

#[test]
fn each_call_is_in_the_log() -> io::Result<()> {
    let output = Command::new(env!("CARGO_BIN_EXE_progress")).arg("5").output()?;
    assert!(output.status.success(), "{output:?}");
    let (told, log) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(told, "5133 primes below 50000, 0 calls failed\n");
    let lines = |message: &str| log.lines().filter(|line| line.contains(message)).count();
    assert_eq!(lines("INFO progress: started call="), 5, "{log}");
    assert_eq!(lines("INFO progress: finished call="), 5, "{log}");
    assert_eq!(lines(r#"task="progress::primes" pid="#), 5, "{log}");
    assert_eq!(lines("2 is the only even prime"), 1, "{log}");
    Ok(())
}
