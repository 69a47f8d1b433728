//! What is unpacked is what `rpm -q --dump` promises.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use repository::{unpack, unpack_all};

use crate::fixtures::{Build, build, fixtures, has, named, plain_spec, run};

/// Compares a root with what rpm knows of a package.
fn compare(rpm: &Path, root: &Path) -> usize {
    let output = run(Command::new("rpm").args(["-qp", "--nosignature", "--qf"]).arg(
        "[%{FILENAMES}\\t%{FILESIZES}\\t%{FILEMTIMES}\\t%{FILEDIGESTS}\\t%{FILEMODES}\\t%{FILEUSERNAME}\\t%{FILEGROUPNAME}\\t%{FILEFLAGS}\\t%{FILELINKTOS}\\n]",
    ).arg(rpm));
    let text = String::from_utf8(output.stdout).unwrap();
    let is_root = rustix::process::geteuid().is_root();
    let mut count = 0;
    for line in text.lines() {
        let column: Vec<_> = line.split('\t').collect();
        let path = root.join(column[0].trim_start_matches('/'));
        let mode: u32 = column[4].parse::<i64>().unwrap() as u32 & 0xffff;
        let flags: u32 = column[7].parse().unwrap();
        if flags & 64 != 0 {
            assert!(!path.exists(), "{line}");
            continue;
        }
        let status = fs::symlink_metadata(&path).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert_eq!(status.mtime().to_string(), column[2], "{line}");
        if status.is_symlink() {
            assert_eq!(fs::read_link(&path).unwrap().to_str().unwrap(), column[8], "{line}");
        } else {
            assert_eq!(status.permissions().mode(), mode, "{line}");
        }
        if status.is_file() {
            assert_eq!(status.len().to_string(), column[1], "{line}");
            let digest = run(Command::new("sha256sum").arg("--").arg(&path)).stdout;
            assert!(String::from_utf8_lossy(&digest).trim_start_matches('\\').starts_with(column[3]), "{line}");
        }
        if is_root {
            let id = |name: &str| if name == "games" { 4242 } else { 0 };
            assert_eq!((status.uid(), status.gid()), (id(column[5]), id(column[6])), "{line}");
        }
        count += 1;
    }
    count
}

/// A root that knows the group `games` by a number of its own.
fn root(directory: &Path) -> PathBuf {
    let root = directory.join("root");
    fs::create_dir_all(root.join("etc")).unwrap();
    fs::write(root.join("etc/group"), "root:x:0:\ngames:x:4242:\n").unwrap();
    root
}

#[test]
fn everything_is_as_promised() {
    if !has("rpmbuild") || !has("rpm") {
        return;
    }
    for payload in ["w6.gzdio", "w3T0.zstdio", "w2.xzdio", "w.ufdio"] {
        let directory = tempfile::tempdir().unwrap();
        let define = [("_binary_payload", payload), ("_source_payload", payload)];
        let spec = crate::fixtures::RICH_SPEC;
        let rpms = build(&directory.path().join("build"), &Build { spec, define: &define, time: None });
        let root = root(directory.path());
        let unpacked = unpack_all(&rpms, &root).unwrap();
        let compared: usize = rpms.iter().map(|rpm| compare(rpm, &root)).sum();
        assert!(compared > 15, "{compared}");
        assert!(unpacked.files >= 10 && unpacked.bytes > 0, "{unpacked:?}");
        let inode = |name: &str| fs::metadata(root.join("usr/share/alpha").join(name)).unwrap().ino();
        assert!(
            inode("hard1") == inode("hard2") && inode("hard1") == inode("hard3") && inode("hard1") != inode("empty")
        );
        assert_eq!(fs::read_to_string(root.join("usr/share/alpha/hard2")).unwrap(), "linked\n");
        assert!(root.join("package.spec").exists());

        // Once more over what is there.
        unpack(named(&rpms, "alpha-1.0"), &root).unwrap();
        compare(named(&rpms, "alpha-1.0"), &root);
    }
}

#[test]
fn links_in_the_root_do_not_lead_out() {
    if !has("rpmbuild") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let outside = directory.path().join("outside");
    fs::create_dir_all(&outside).unwrap();
    fs::write(outside.join("content"), "untouched").unwrap();
    let root = root(directory.path());
    fs::create_dir_all(root.join("usr/share/gamma")).unwrap();
    // A directory that is a link to an absolute path is that path inside the root.
    symlink(&outside, root.join("usr/share/beta")).unwrap();
    // A file that is a link is replaced, not followed.
    symlink(outside.join("content"), root.join("usr/share/gamma/content")).unwrap();
    unpack_all(
        &[named(fixtures(), "beta-1.0-1.noarch"), named(fixtures(), "gamma-1.0-1.noarch")].map(Path::to_owned),
        &root,
    )
    .unwrap();
    assert_eq!(fs::read_to_string(outside.join("content")).unwrap(), "untouched");
    let inside = root.join(outside.strip_prefix("/").unwrap());
    assert_eq!(fs::read_to_string(inside.join("content")).unwrap(), "beta\n");
    assert_eq!(fs::read_to_string(root.join("usr/share/gamma/content")).unwrap(), "gamma\n");
    assert!(!root.join("usr/share/gamma/content").is_symlink());
}

#[test]
fn a_link_comes_before_what_lies_behind_it() {
    if !has("rpmbuild") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let libraries = plain_spec("libraries", 1, "x").replace("/usr/share/libraries", "/lib/libraries");
    let layout = "Name: layout\nVersion: 1\nRelease: 1\nSummary: x\nLicense: MIT\nBuildArch: noarch\n%description\nx\n\
                  %install\nmkdir -p %{buildroot}/usr/lib\nln -s usr/lib %{buildroot}/lib\n%files\n/lib\n%dir /usr/lib\n";
    let top = |name: &str| directory.path().join(name);
    let mut rpms = build(&top("1"), &Build { spec: &libraries, ..Build::default() });
    rpms.extend(build(&top("2"), &Build { spec: layout, ..Build::default() }));
    rpms.retain(|rpm| !rpm.to_string_lossy().contains(".src."));
    unpack_all(&rpms, top("root")).unwrap();
    assert!(top("root/lib").is_symlink());
    assert_eq!(fs::read_to_string(top("root/usr/lib/libraries/content")).unwrap(), "x\n");
}
