internal import Glibc
internal import Linux

/// What the first sandbox of an engine waits for and what needs no specification, done on a thread of its own while the caller reads
/// its profile: the process that sandboxes are forked from, the host's secrets, and who has the ids that root inside is mapped to.
///
/// ```swift
/// let ahead = HeadStart(helper: try SandboxEngine.locateHelper())
/// let engine = SandboxEngine(cgroups: try? CgroupHost.detect(), ahead: ahead, scratch: scratch)
/// ```
public final class HeadStart: Sendable {
    let zygote: Zygote
    let ground = Ground()

    /// Begins.
    ///
    /// - Parameter helper: The path of `grace-sandbox`.
    public init(helper: String) {
        zygote = Zygote(helper: helper)
        // Where there is no thread to be had, the sandbox's start does it all, and says what fails.
        try? Threads.start("ahead") { [zygote, ground] in
            zygote.warm()
            ground.lookForSecrets()
            if geteuid() == 0 { _ = try? ground.taken(from: PlanWriter.mappedFirst) }
        }
    }

    /// What of this host no sandbox sees, for a view of the caller's own beside that of the first sandbox.
    public func secrets() -> [HiddenPath] { ground.secretsFoundAhead(keeping: true) ?? HostSecrets.found() }
}
