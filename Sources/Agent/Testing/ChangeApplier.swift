internal import Documents
internal import FoundationEssentials
internal import Linux
internal import Missions
internal import Sandbox

/// Makes a mission's change inside a sandbox whose upper layer is the candidate's.
struct ChangeApplier {
    let sandbox: Sandbox

    struct Output {
        var stdout = ""
        var stderr = ""
        var exit = ProcessExit.exited(0)
        var isSuccess: Bool { exit.isSuccess }
    }

    func apply(_ change: ChangeSpecification) async throws -> Output {
        switch change.action {
        case .run(let line):
            return try await run(.shell(line), input: nil)
        case .files(let files):
            var all = Output()
            for file in files {
                let output = try await put(file)
                all.stdout += output.stdout
                all.stderr += output.stderr
                all.exit = output.exit
                guard output.isSuccess else { break }
            }
            return all
        case .patch(let patch):
            return try await run(
                Command(arguments: ["/bin/sh", "-c", "exec patch -p1 --batch --forward"], directory: patch.directory),
                input: try decoded(patch.content, "the patch"))
        case .git(let git):
            let script =
                #"git -c safe.directory='*' -C "$1" diff --binary "$2" "$3" | git apply --whitespace=nowarn -p1"#
            return try await run(
                Command(
                    arguments: ["/bin/sh", "-ec", script, "sh", git.repository, git.baseline, git.candidate],
                    directory: git.directory),
                input: nil)
        }
    }

    /// Writes through the present inode, so that owner and mode stay unless the mission sets them.
    private func put(_ file: FileChange) async throws -> Output {
        let script = """
            umask 022
            mkdir -p -- "$(dirname -- "$1")" && cat > "$1" || exit 1
            [ -z "$3" ] || chown -- "$3" "$1" || exit 1
            [ -z "$2" ] || chmod -- "$2" "$1" || exit 1
            """
        return try await run(
            Command(arguments: ["/bin/sh", "-c", script, "sh", file.path, file.mode ?? "", file.owner ?? ""]),
            input: try decoded(file.content, file.path))
    }

    private func decoded(_ base64: String, _ what: String) throws -> Data {
        guard let data = Data(base64Encoded: base64) else {
            throw AgentError("The content of \(what) in the mission is not base64; propose the mission again.")
        }
        return data
    }

    func run(_ command: Command, input: Data?) async throws -> Output {
        var stdin = Stdio.null
        var feeding: Task<Void, any Error>?
        var readEnd: Descriptor?
        if let input {
            let pipe = try Pipe.make()
            stdin = .descriptor(pipe.read)
            readEnd = pipe.read
            feeding = Task { try await Threads.run("feed") { try Pipe.fill(pipe.write, input) } }
        }
        let process = try await sandbox.spawn(
            command, stdin: stdin, stdout: .capture(limit: 1 << 20), stderr: .capture(limit: 1 << 20), extra: [:])
        readEnd?.close()
        let exit = try await process.wait()
        try await feeding?.value
        return Output(
            stdout: String(decoding: process.stdout, as: UTF8.self),
            stderr: String(decoding: process.stderr, as: UTF8.self), exit: exit)
    }
}
