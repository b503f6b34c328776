import FoundationEssentials
import Glibc
import Linux
import Testing

@testable import Sandbox

/// What is hidden from every sandbox, and that what a mount hides on live stays hidden.
@Suite struct MaskTests {
    private static func write(_ path: String, _ text: String = "secret", mode: UInt32 = 0o600) throws {
        try Files.makeDirectory(BytePath(path).parent.string ?? "/", mode: 0o755, intermediate: true)
        try Files.writeAtomically(path, Data(text.utf8), mode: mode)
    }

    /// A made-up host's files.
    @Test func keysAndCredentialsOfEveryHomeDirectoryAreFound() async throws {
        try await Host.withDirectory { root in
            try Self.write(
                "\(root)/etc/passwd",
                "root:x:0:0::/root:/bin/sh\nbin:x:2:2::/bin:/x\npostgres:x:99:99::/var/lib/postgresql:/bin/sh\nodd:x:5:5::/srv/../etc:/x\n"
            )
            let secret = [
                "/root/.ssh/id_ed25519", "/root/.aws/credentials", "/root/.config/gcloud/x",
                "/var/lib/postgresql/.pgpass",
                "/home/ann/.ssh/agent.sock", "/home/ann/.gnupg/S.gpg-agent", "/home/ann/.kube/config",
                "/home/ann/.netrc",
                "/home/bob/.cargo/credentials.toml", "/home/bob/.docker/config.json",
            ]
            let plain = ["/home/ann/.bashrc", "/home/ann/.config/editor", "/home/bob/.cargo/bin/x", "/bin/.ssh/x"]
            for path in secret + plain { try Self.write(root + path) }
            let found = Set(HostSecrets.found(root: root).map(\.path))
            for path in secret { #expect(HostView.isBelow(path, Array(found)), "\(path) is in sight") }
            for path in plain { #expect(!HostView.isBelow(path, Array(found)), "\(path) is hidden") }
            for path in ["/var/lib/docker", "/var/lib/containerd", "/etc/kubernetes", "/var/lib/systemd/coredump"] {
                #expect(found.contains(path))
            }
            // Decided otherwise: see HostSecrets.
            for path in ["/etc/shadow", "/etc/machine-id", "/etc/ssl/private"] { #expect(!found.contains(path)) }
        }
    }

    @Test func swapFilesAndADirectoryInThePlaceOfVarRunAreHidden() async throws {
        try await Host.withDirectory { root in
            try Self.write(
                "\(root)/proc/swaps",
                "Filename Type Size Used Priority\n/swap\\040file file 1 0 -2\n/dev/sda2 partition 1 0 -3\n")
            try Files.makeDirectory("\(root)/var", mode: 0o755)
            try Files.symlink("/run", at: "\(root)/var/run")
            let linked = HostSecrets.found(root: root).map(\.path)
            #expect(linked.contains("/swap file") && !linked.contains("/dev/sda2") && !linked.contains("/var/run"))
            try Files.unlink("\(root)/var/run")
            try Files.makeDirectory("\(root)/var/run", mode: 0o755)
            #expect(HostSecrets.found(root: root).map(\.path).contains("/var/run"))
        }
    }

    @Test func pastTheBoundWholeHomeDirectoriesAreHidden() async throws {
        try await Host.withDirectory { root in
            for number in 0...HostSecrets.most {
                try Files.makeDirectory("\(root)/home/u\(number)/.ssh", mode: 0o700, intermediate: true)
            }
            try Files.makeDirectory("\(root)/home/none", mode: 0o700, intermediate: true)
            let found = HostSecrets.found(root: root).map(\.path)
            #expect(found.contains("/home/u7") && !found.contains("/home/u7/.ssh") && !found.contains("/home/none"))
        }
    }

    @Test func theRootOfAContainerIsHidden() throws {
        let lines =
            "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 0:9 / /srv/data/overlay2/x/merged rw - overlay overlay rw\n"
        let view = HostView.current(mounts: try MountInfo.parse(Array(lines.utf8), from: "test"), secrets: [])
        #expect(view.overlays.map(\.mountPoint) == ["/"])
        #expect(view.masks.map(\.path) == ["/srv/data/overlay2/x/merged"])
        let inside = "1 0 0:9 / / rw - overlay overlay rw\n"
        #expect(
            HostView.current(mounts: try MountInfo.parse(Array(inside.utf8), from: "test"), secrets: []).overlays.count
                == 1)
    }

    /// In a real sandbox: every kind of mount that can lie over a secret.
    @Test(
        .enabled(if: Host.isRoot, "mounting needs root"),
        arguments: [
            "mount -t tmpfs none D/over", "mount -t proc proc D/over", "mount -t sysfs sysfs D/over",
            "mount --bind D/harmless D/over", "mount -t tmpfs none D/over && mount -t tmpfs none D/over",
            "mkdir D/x && mount -t overlay -o lowerdir=D/harmless:D/x overlay D/over",
            "mount -t tmpfs none D/over && mkdir D/over/in && mount -t proc proc D/over/in",
            "mount --bind D/harmless/file D/over/key",
            "mount -t tmpfs none \"$(printf 'D/over/b\\303')\"",
        ])
    func whatAMountShadowsStaysOutOfSight(_ command: String) async throws {
        try await Host.withDirectory { directory in
            try Self.write("\(directory)/over/key", "shadowed", mode: 0o644)
            try Self.write("\(directory)/harmless/file", "harmless", mode: 0o644)
            let line = command.replacing("D/", with: "\(directory)/")
            let made = try await Processes.run(
                "/bin/sh",
                arguments: [
                    "-c", (line.contains("printf") ? "mkdir \"$(printf '\(directory)/over/b\\303')\"; " : "") + line,
                ])
            do {
                #expect(made.isSuccess, "\(String(decoding: made.stderr, as: UTF8.self))")
                let isInSight = try Files.status("\(directory)/over/key").map { $0.size == 8 } ?? false
                let content = isInSight ? try Files.readString("\(directory)/over/key") : ""
                let sandbox = try await Host.engine(directory).start(SandboxSpecification(profile: Host.profile()))
                let result = try await sandbox.shell(
                    "cat \(directory)/over/key; find \(directory)/over -type f | xargs cat")
                _ = try await sandbox.end()
                // With a mount below it under a name that is no text, the whole directory is hidden; else what live shows.
                #expect(!result.out.contains("shadowed"), "\(line): \(result.out)")
                #expect(content != "shadowed" || line.contains("printf"))
            } catch {
                Issue.record(error)
            }
            let script =
                "for m in \(directory)/over/in \(directory)/over/key \(directory)/over/b* \(directory)/over \(directory)/over; do umount \"$m\"; done 2>&1; true"
            _ = try await Processes.run("/bin/bash", arguments: ["-c", script])
            let left = try MountInfo.read().filter { $0.mountPoint.display.hasPrefix("\(directory)/over") }
            #expect(left.isEmpty)
        }
    }

    /// Whoever listens on a socket in a directory that sandboxes see: an agent, a database.
    @Test func socketsOfTheHostRefuseToBeConnectedTo() async throws {
        try await Host.withDirectory { directory in
            let path = "\(directory)/agent.sock"
            let listener = try await Processes.run(
                "/usr/bin/perl",
                arguments: [
                    "-MIO::Socket::UNIX", "-e",
                    "my $s = IO::Socket::UNIX->new(Local => '\(path)', Listen => 1) or die; chmod 0777, '\(path)'; exit 0",
                ])
            #expect(listener.isSuccess)
            try Files.unlink(path)
            // A listener that lives through the test.
            let server = try Processes.spawn(
                "/usr/bin/perl",
                arguments: [
                    "-MIO::Socket::UNIX", "-e",
                    "my $s = IO::Socket::UNIX->new(Local => '\(path)', Listen => 5) or die; chmod 0777, '\(path)'; while (my $c = $s->accept) { print $c qq(secret\\n); close $c }",
                ])
            defer {
                try? Processes.kill(server, SIGKILL)
                _ = try? Processes.waitBlocking(server)
            }
            for _ in 0..<500 where try Files.status(path) == nil { try await Task.sleep(for: .milliseconds(10)) }
            let ask =
                "perl -MIO::Socket::UNIX -e 'my $s = IO::Socket::UNIX->new(Peer => q(\(path))) or die qq($!\\n); print <$s>'"
            let outside = try await Processes.run("/bin/sh", arguments: ["-c", ask])
            #expect(String(decoding: outside.stdout, as: UTF8.self) == "secret\n")
            let sandbox = try await Host.engine(directory).start(SandboxSpecification(profile: Host.profile()))
            let inside = try await sandbox.shell("ls \(path); " + ask)
            _ = try await sandbox.end()
            #expect(inside.out == "\(path)\n" && inside.exit != .exited(0), "\(inside)")
        }
    }

    @Test func theCredentialsOfRealHomeDirectoriesAreEmptyInside() async throws {
        // What there is on this machine, whoever it belongs to; the sandbox's own root reads everything that is in sight.
        let there = HostSecrets.found().map(\.path).filter { path in
            ((try? Files.status(path)).flatMap { $0 }) != nil && !HostView.isBelow(path, HostView.fresh)
        }
        let list = there.map { "'\($0)'" }.joined(separator: " ")
        let (result, _) = try await Host.withSandbox { sandbox, _ in
            try await sandbox.shell(
                "for p in \(list.isEmpty ? "/root/.ssh" : list); do find \"$p\" -mindepth 1 2>/dev/null; cat \"$p\" 2>/dev/null; done"
            )
        }
        #expect(result.out.isEmpty)
    }
}
