import FoundationEssentials
import Glibc
import Linux
import Testing

/// A disk in memory with a file system on it, whose every write the kernel's dm-log-writes keeps, and which can then be had as a power
/// loss would have left it. Everything lies on a tmpfs of its own and is gone with this object.
final class LoggedDisk: Sendable {
    enum FileSystem: String, CaseIterable, Sendable, CustomTestStringConvertible {
        case ext4, xfs, btrfs

        var testDescription: String { rawValue }

        fileprivate var size: String {
            switch self {
            case .ext4: "64M"
            case .xfs: "320M"
            case .btrfs: "128M"
            }
        }

        /// Nothing is left to be initialised later: it would come between our writes.
        fileprivate var maker: String {
            switch self {
            case .ext4: "mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0"
            case .xfs: "mkfs.xfs -q"
            case .btrfs: "mkfs.btrfs -q"
            }
        }

        /// Nothing is written back just because time passes: what is on disk is there because somebody asked for it.
        fileprivate var options: String {
            switch self {
            case .ext4, .btrfs: "noatime,commit=900"
            case .xfs: "noatime"
            }
        }
    }

    /// Whether this host has what it takes; the kernel's module is loaded where it is there. In the virtual machine of scripts/vm-test
    /// it is there, or the test fails.
    static let isPossible: Bool = {
        guard isRoot else { return false }
        if getenv("GRACE_VM") != nil { return true }
        let script = "modprobe -q dm-log-writes; dmsetup targets | grep -q ^log-writes"
        return (try? Processes.runBlocking("/bin/sh", arguments: ["-c", script]))?.isSuccess == true
    }()

    struct Failed: Error, CustomStringConvertible {
        var description: String
    }

    let kind: FileSystem
    let directory = "/var/tmp/grace-powerloss-\(UUID().uuidString)"
    private let device = "grace-powerloss-\(UUID().uuidString)"
    /// Where the file system is mounted, recorded or restored: always the same place, since journals name their root.
    var mount: String { directory + "/mount" }
    var log: String { directory + "/log" }

    /// A new file system, mounted, nothing recorded yet.
    init(_ kind: FileSystem) throws {
        self.kind = kind
        try Files.makeDirectory(directory, mode: 0o700)
        try shell(
            """
            modprobe -q dm-log-writes || dmsetup targets | grep -q ^log-writes
            mount -t tmpfs -o size=1500m,mode=700 grace-powerloss \(directory)
            mkdir \(mount)
            truncate -s \(kind.size) \(directory)/disk
            truncate -s 512M \(log)
            \(kind.maker) \(directory)/disk
            mount -o loop,\(kind.options) \(directory)/disk \(mount)
            """)
    }

    deinit {
        _ = try? shell(
            """
            umount \(mount) || umount -l \(mount) || true
            ! dmsetup info \(device) || dmsetup remove --retry \(device)
            losetup -n -O NAME,BACK-FILE | awk -v own=\(directory)/ 'index($2, own) == 1 { print $1 }' | xargs -r losetup -d
            umount -l \(directory) || true
            """)
        try? Files.removeTree(directory)
    }

    @discardableResult
    private func shell(_ script: String) throws -> String {
        let output = try Processes.runBlocking(
            "/bin/bash", arguments: ["-euc", "set -o pipefail; cd /\n" + script], timeout: .seconds(120))
        guard output.isSuccess else {
            throw Failed(description: "\(script): \(output.errorOutput.suffix(2000))")
        }
        return String(decoding: output.stdout, as: UTF8.self)
    }

    /// Everything written from now on is kept, in the order in which it became durable.
    func record() throws {
        try shell(
            """
            umount \(mount)
            cp --sparse=always \(directory)/disk \(directory)/replayed
            disk=$(losetup -f --show \(directory)/disk)
            log=$(losetup -f --show \(log))
            dmsetup create \(device) --table "0 $(blockdev --getsz $disk) log-writes $disk $log"
            mount -o \(kind.options) /dev/mapper/\(device) \(mount)
            """)
    }

    /// Says in the record what has happened by now, in one word.
    func mark(_ text: String) throws { try shell("dmsetup message \(device) 0 mark '\(text)'") }

    func endRecording() throws -> WriteLog {
        try shell(
            """
            umount \(mount)
            dmsetup remove --retry \(device)
            losetup -n -O NAME,BACK-FILE | awk -v own=\(directory)/ 'index($2, own) == 1 { print $1 }' | xargs losetup -d
            rm \(directory)/disk
            """)
        return try WriteLog(path: log)
    }

    // Mounts what a power loss would have left, which makes the file system replay its own journal; runs `body`, and throws it away.
    // `entries`: what the disk had written since the last call, which must have been for an earlier moment; `besides`: what it may have
    // written as well.
    func afterPowerLoss<R>(
        _ log: WriteLog, _ entries: ArraySlice<WriteLog.Entry>, besides: [WriteLog.Entry], _ body: () async throws -> R
    ) async throws -> R {
        let replayed = try Files.open(directory + "/replayed", flags: O_WRONLY)
        for entry in entries { try log.apply(entry, to: replayed) }
        replayed.close()
        try shell("cp --sparse=auto \(directory)/replayed \(directory)/left")
        let left = try Files.open(directory + "/left", flags: O_WRONLY)
        for entry in besides { try log.apply(entry, to: left) }
        left.close()
        try shell("mount -o loop,\(kind.options) \(directory)/left \(mount)")
        let result: R
        do {
            result = try await body()
        } catch {
            _ = try? shell("umount \(mount)")
            throw error
        }
        try shell("umount \(mount)")
        return result
    }
}
