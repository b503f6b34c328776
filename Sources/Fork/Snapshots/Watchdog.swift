internal import FoundationEssentials
internal import Glibc
internal import Linux

/// A process of its own that thaws a frozen control group when this process dies or takes too long: `grace-sandbox thaw PATH
/// VALUE SECONDS` with a pipe as its standard input. The kernel closes our end with us, whatever kills us.
final class Watchdog {
    private let pid: Int32
    private let pipe: Descriptor
    private var isReaped = false

    /// Starts it; when this returns it runs.
    ///
    /// - Parameters:
    ///   - helper: The path of `grace-sandbox`.
    ///   - action: The file to write and what to write.
    ///   - seconds: After how long it thaws by itself.
    /// - Throws: ``ForkError/snapshot(_:)`` where it can't be started.
    init(helper: String, action: (path: String, value: String), seconds: Int) throws {
        let ends = try Descriptor.pipe()
        do {
            pid = try ends.read.withRaw { raw in
                try Processes.spawn(
                    helper, arguments: ["thaw", action.path, action.value, String(seconds)], descriptors: [(0, raw)],
                    directory: "/")
            }
        } catch {
            throw ForkError.snapshot(
                "Nothing was frozen, since the watchdog that would thaw it again could not be started: \(error). Install "
                    + "grace-sandbox beside grace, or set GRACE_LIBEXEC_DIR.")
        }
        pipe = ends.write
    }

    /// Throws where it has ended already: without it nothing may be frozen.
    func checkRunning() throws {
        guard let exit = try Processes.reap(pid) else { return }
        isReaped = true
        throw ForkError.snapshot(
            "Nothing was frozen, since the watchdog that would thaw it again ended at once (\(exit)). Check grace-sandbox."
        )
    }

    /// Dismisses it; it thaws once more, which changes nothing.
    func end() {
        pipe.close()
        guard !isReaped else { return }
        isReaped = true
        _ = try? Processes.waitBlocking(pid)
    }

    deinit { end() }
}
