//! The file `out/state.sqlite`: opening it, its tables, and what another version of the tool has left there.
//!
//! Readers see the last whole transaction and never wait (SQLite's write-ahead log); who may write is settled by the
//! output folder's lock before. The tables are the state's (`packages`, `generated`) and the history's (`attempts`).

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::error::{CommandError, IoContext};

/// The version of the tables. A file of another one is not read.
const FORMAT: i64 = 1;
/// Marks the file as ours, in SQLite's header: `PBLD`.
const APPLICATION: i64 = 0x5042_4c44;
/// How long another process may hold the file, which takes milliseconds if at all.
const BUSY: Duration = Duration::from_secs(10);
/// Who writes, for the message of a version that cannot read it.
const WRITER: &str = concat!("package-builder ", env!("CARGO_PKG_VERSION"));

const TABLES: &str = "
    CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
    -- The last successful build of each source package; maps are JSON objects.
    CREATE TABLE packages (
        name TEXT PRIMARY KEY, key TEXT NOT NULL, inputs TEXT NOT NULL, build_root TEXT NOT NULL,
        base_layer TEXT NOT NULL, rpms TEXT NOT NULL, seconds REAL NOT NULL, unchecked INTEGER NOT NULL
    ) STRICT;
    -- What build roots answered; needs are a JSON list.
    CREATE TABLE generated (
        name TEXT PRIMARY KEY, inputs TEXT NOT NULL, asked_at TEXT NOT NULL, needs TEXT NOT NULL
    ) STRICT;
    -- Every build that was tried. Times are seconds, `started` is milliseconds since 1970, sizes are bytes; NULL is
    -- what was not measured. Verdict and phases are JSON as in the journal.
    CREATE TABLE attempts (
        id INTEGER PRIMARY KEY, run TEXT NOT NULL, package TEXT NOT NULL, nevr TEXT NOT NULL, key TEXT,
        started INTEGER NOT NULL, machine TEXT NOT NULL, verdict TEXT NOT NULL, succeeded INTEGER NOT NULL,
        seconds REAL NOT NULL, own_seconds REAL NOT NULL, phases TEXT NOT NULL,
        cpu_seconds REAL, peak_memory INTEGER, disk INTEGER
    ) STRICT;
    CREATE INDEX attempts_of_package ON attempts (package, started);
    CREATE INDEX attempts_by_time ON attempts (started);
";

/// Opens the file to read it; `None` where there is none yet.
///
/// # Errors
/// It is not ours, is of another format, or cannot be read.
pub(crate) fn open_to_read(path: &Path) -> Result<Option<Connection>, CommandError> {
    if !path.exists() {
        return Ok(None);
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let open = |name: &Path| {
        let connection = Connection::open_with_flags(name, flags)?;
        connection.busy_timeout(BUSY)?;
        format_of(&connection).map(|format| (connection, format))
    };
    let opened = match open(path) {
        // In a folder of someone else's no log can be made beside the file. Where there is none, nobody writes.
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::CannotOpen) && !has_log(path) => {
            open(&immutable(path))
        }
        opened => opened,
    };
    let (connection, format) = opened.map_err(trouble("read", path))?;
    check(&connection, &format, path)?;
    Ok(Some(connection))
}

/// Opens the file to write to it, and makes it where there is none. Every transaction is on disk when it is over if
/// `durable`, which costs waiting for the disk; a process that is killed loses none in any case.
///
/// # Errors
/// It is not ours, is of another format, or cannot be written.
pub(crate) fn open_to_write(path: &Path, durable: bool) -> Result<Connection, CommandError> {
    if !path.exists() {
        make(path)?;
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(trouble("open", path))?;
    connection.busy_timeout(BUSY).map_err(trouble("open", path))?;
    check(&connection, &format_of(&connection).map_err(trouble("read", path))?, path)?;
    let prepare = || {
        connection.execute_batch(if durable { "PRAGMA synchronous = FULL" } else { "PRAGMA synchronous = NORMAL" })?;
        let sql = "UPDATE about SET value = ?1 WHERE name = 'written by' AND value <> ?1";
        connection.execute(sql, [WRITER]).map(drop)
    };
    prepare().map_err(trouble("write", path))?;
    Ok(connection)
}

/// Makes the file with its tables, beside its place: nobody ever sees half of it.
fn make(path: &Path) -> Result<(), CommandError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).doing("create", folder)?;
    // Readable as far as the umask lets it be, which a temporary file is not by itself.
    let file =
        tempfile::Builder::new().prefix(".state-").permissions(Permissions::from_mode(0o644)).tempfile_in(folder);
    let file = file.doing("write to", folder)?;
    let fill = || {
        let connection = Connection::open(file.path())?;
        connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
        connection.execute_batch(TABLES)?;
        connection.execute("INSERT INTO about VALUES ('written by', ?1)", [WRITER])?;
        connection.execute_batch(&format!("PRAGMA user_version = {FORMAT}; PRAGMA application_id = {APPLICATION}"))?;
        connection.close().map_err(|(_, error)| error)
    };
    fill().map_err(trouble("write", file.path()))?;
    file.as_file().sync_all().doing("write", file.path())?;
    match file.persist_noclobber(path) {
        Err(error) if error.error.kind() != std::io::ErrorKind::AlreadyExists => Err(error.error).doing("create", path),
        _ => Ok(()),
    }
}

/// What a file says of itself.
struct Format {
    application: i64,
    version: i64,
}

/// Refuses a file that is not ours, or of a format that this version does not read.
fn check(connection: &Connection, format: &Format, path: &Path) -> Result<(), CommandError> {
    let (path, version) = (path.display(), format.version);
    if format.application != APPLICATION {
        let error = CommandError::infrastructure(format!("`{path}` is no state of package-builder's"));
        return Err(error.hint("move it away, or give the results their own folder with `--output DIR`"));
    }
    if version == FORMAT {
        return Ok(());
    }
    let sql = "SELECT value FROM about WHERE name = 'written by'";
    let writer = connection.query_row(sql, [], |row| row.get(0)).unwrap_or_else(|_| "another version".to_owned());
    let said =
        format!("`{path}` is of format {version}, written by {writer}; this is {WRITER}, which reads format {FORMAT}");
    Err(CommandError::infrastructure(said)
        .hint(format!("use {writer} for this folder, or give the results another one with `--output DIR`"))
        .hint("or remove the file; everything is then built anew, and what comes out the same stays published"))
}

fn format_of(connection: &Connection) -> rusqlite::Result<Format> {
    let number = |pragma: &str| connection.query_row(pragma, [], |row| row.get(0));
    Ok(Format { application: number("PRAGMA application_id")?, version: number("PRAGMA user_version")? })
}

/// Whether there is a log that may hold more than the file.
fn has_log(path: &Path) -> bool {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    Path::new(&log).exists()
}

/// The name by which SQLite opens a file that nobody changes meanwhile (sqlite.org/uri.html).
fn immutable(path: &Path) -> PathBuf {
    let escaped: String = path
        .to_string_lossy()
        .chars()
        .map(|character| match character {
            '%' | '?' | '#' => format!("%{:02x}", u32::from(character)),
            other => other.to_string(),
        })
        .collect();
    format!("file:{escaped}?immutable=1").into()
}

/// An error of the database as the user sees it.
pub(crate) fn trouble<'a>(action: &'a str, path: &'a Path) -> impl Fn(rusqlite::Error) -> CommandError + 'a {
    move |error| {
        let failure = CommandError::infrastructure(format!("cannot {action} `{}`: {error}", path.display()));
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => failure
                .hint("the disk is full; free some space, or `package-builder clean`, and run the same command again"),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                failure.hint("another process is writing to it; run the same command again when that has finished")
            }
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => failure
                .hint("remove the file; everything is then built anew, and what comes out the same stays published"),
            _ => failure,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("out/state.sqlite");
        (folder, path)
    }

    #[test]
    fn there_is_nothing_to_read_until_something_was_written() {
        let (_folder, path) = place();
        assert!(open_to_read(&path).expect("no file is no error").is_none());
        assert!(!path.exists(), "reading makes no file");
        drop(open_to_write(&path, true).expect("the folder is writable"));
        assert!(open_to_read(&path).expect("it was just made").is_some());
        drop(open_to_write(&path, true).expect("and is opened again"));
    }

    #[test]
    fn a_later_format_names_its_writer() {
        let (_folder, path) = place();
        let connection = open_to_write(&path, true).expect("the folder is writable");
        let later = "PRAGMA user_version = 7; UPDATE about SET value = 'package-builder 9.8.7'; DROP TABLE packages";
        connection.execute_batch(later).expect("it is ours");
        drop(connection);
        for error in [open_to_read(&path).err(), open_to_write(&path, true).err()] {
            let message = error.expect("a later format").message;
            assert!(message.contains("format 7, written by package-builder 9.8.7"), "{message}");
        }
    }

    #[test]
    fn what_is_not_ours_is_left_alone() {
        let (folder, path) = place();
        let other = folder.path().join("other.sqlite");
        let connection = Connection::open(&other).expect("the folder is writable");
        connection.execute_batch("CREATE TABLE theirs (x)").expect("it is empty");
        drop(connection);
        let message = open_to_write(&other, true).expect_err("it is theirs").message;
        assert!(message.contains("no state of package-builder's"), "{message}");
        std::fs::create_dir_all(path.parent().expect("it has one")).expect("the folder is writable");
        std::fs::write(&path, "no database, but longer than a header of one hundred bytes. ".repeat(4))
            .expect("the folder is writable");
        let error = open_to_read(&path).expect_err("it is no database");
        assert!(error.hints.iter().any(|hint| hint.contains("remove the file")), "{error}");
    }

    #[test]
    fn a_reader_sees_whole_transactions_and_does_not_wait_for_a_writer() {
        let (_folder, path) = place();
        let mut writer = open_to_write(&path, true).expect("the folder is writable");
        let reader = open_to_read(&path).expect("it can be read").expect("it is there");
        let count = || reader.query_row("SELECT COUNT(*) FROM generated", [], |row| row.get::<_, i64>(0));
        let transaction = writer.transaction().expect("nobody else writes");
        transaction.execute("INSERT INTO generated VALUES ('a', '', '', '')", []).expect("the table is there");
        assert_eq!(count().expect("readers never wait"), 0);
        transaction.commit().expect("nobody else writes");
        assert_eq!(count().expect("readers never wait"), 1);
    }
}
