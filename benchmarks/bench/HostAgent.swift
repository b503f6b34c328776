import Glibc
import Linux

/// An agent of its own with sandboxes ready for `grace run`: a real one, with nobody to report to.
final class HostAgent {
    /// What a `grace run` is given to find it.
    let places: [String]
    private let pid: Int32

    /// Starts `grace`; its files go to `directory`, and `ready` sandboxes wait.
    init(_ grace: String, directory: String, profiles: String, ready: Int) throws {
        let names = ["state", "config", "run"].map { "\(directory)/\($0)" }
        for name in names + ["\(names[0])/agent"] { try Files.makeDirectory(name, mode: 0o700, intermediate: true) }
        try Files.writeAtomically("\(names[0])/agent/token", Array("nobody\n".utf8), mode: 0o600)
        try Files.writeAtomically("\(names[1])/agent.yaml", Array("ready_sandboxes: \(ready)\n".utf8), mode: 0o600)
        places = ["--state", names[0], "--config-dir", names[1], "--runtime", names[2]]
        pid = try Processes.spawn(grace, arguments: ["agent", "--profiles", profiles] + places)
        for _ in 0..<1000 where try Files.status("\(names[2])/sandboxes") == nil { usleep(10_000) }
    }

    func end() {
        try? Processes.kill(pid, SIGTERM)
        _ = try? Processes.waitBlocking(pid)
    }
}
