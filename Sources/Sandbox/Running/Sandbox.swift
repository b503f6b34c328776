public import Cgroups
internal import CSandbox
public import FoundationEssentials
internal import Glibc
public import Linux
internal import Synchronization

/// A running sandbox: an isolated process tree over a copy-on-write view of the host.
///
/// Everything in it dies with ``end()``, with this object, and with the process that started it, however that dies.
public final class Sandbox: Sendable {
    /// Its control group; `nil` where the caller may make none.
    public let cgroup: Cgroup?
    /// The network namespace, for opening sockets inside; `nil` with the host's network.
    public let networkNamespace: Descriptor?
    /// What the profile asked for and this host or caller could not give: to be recorded in evidence.
    public let fallbacks: [FeatureStatus]
    /// The specification it was started from.
    public let specification: SandboxSpecification

    private let channel: Channel
    /// What it was forked from: when that goes, so does it, even where the engine itself is forgotten.
    private let zygote: Zygote
    private let root: Descriptor
    private let first: Descriptor
    private let leftovers: [String]
    private let egress: Egress?
    /// See ``DeviceHolder``; they close at the end.
    private let holds: [Descriptor]
    private let mapped: Bool
    private let singleUser: Bool
    private let layersAreInMemory: Bool
    private struct State {
        var breach: Breach?
        var diskFull = false
        /// What ``Watcher/forget(_:)`` takes.
        var timer: UInt64?
        var started = ContinuousClock.now
        var ending = Ending.notYet
    }
    private enum Ending {
        case notYet
        case underway(waiting: [CheckedContinuation<Result<SandboxOutcome, any Error>, Never>])
        case over(Result<SandboxOutcome, any Error>)
    }
    private let state = Mutex(State())

    init(
        specification: SandboxSpecification, cgroup: Cgroup?, fallbacks: [FeatureStatus], channel: Channel,
        descriptors: [Descriptor], leftovers: [String], mode: csandbox_mode, zygote: Zygote,
        layersAreInMemory: Bool, egress: Egress? = nil, holds: [Descriptor] = []
    ) throws {
        self.holds = holds
        self.zygote = zygote
        self.egress = egress
        self.specification = specification
        self.cgroup = cgroup
        self.fallbacks = fallbacks
        self.channel = channel
        root = descriptors[0]
        networkNamespace = specification.profile.network == .host ? nil : descriptors[1]
        first = descriptors[2]
        self.leftovers = leftovers
        mapped = mode == CSANDBOX_MAPPED
        singleUser = mode == CSANDBOX_USER
        self.layersAreInMemory = layersAreInMemory
        try startClock()
    }

    /// Its time begins now.
    ///
    /// - Throws: `SystemError` where it can't be limited.
    func startClock() throws {
        stopClock()
        let timer = try specification.profile.limits.time.map { seconds in
            let made = csandbox_watch_timer(seconds)
            guard made >= 0 else { throw SystemError(call: "timerfd", subject: "limits.time", code: -made) }
            return try Watcher.shared.get().watch(Descriptor(owning: made)) { [weak self] in
                self?.break(.timeout)
                return .done
            }
        }
        state.withLock { state in
            state.timer = timer
            state.started = .now
        }
    }

    /// Its time stands still: it waits for its user.
    func stopClock() {
        let timer = state.withLock { state in
            defer { state.timer = nil }
            return state.timer
        }
        if let timer { try? Watcher.shared.get().forget(timer) }
    }

    /// Whether everything inside is gone.
    var hasEnded: Bool { channel.hasEnded }

    deinit {
        stopClock()
        channel.close()
        egress?.stop.raise()
    }

    /// What went out so far, and what was refused; `nil` without `network: egress`. Also in ``SandboxOutcome/network``.
    public func networkUse() async -> NetworkUse? { await egress?.use() }

    /// Starts a command. Returns once its program is executed.
    ///
    /// `extra` are further descriptors, by the number (3…250) that the command finds each at.
    ///
    /// - Throws: ``SandboxError/start(step:errno:program:)`` when it cannot be executed.
    public func spawn(
        _ command: Command, stdin: Stdio = .null, stdout: Stdio = .null, stderr: Stdio = .null,
        extra: [Int32: Descriptor] = [:]
    ) async throws -> SandboxProcess {
        try await spawn(command, streams: [stdin, stdout, stderr], extra: extra, foreground: false)
    }

    /// `limits` are resource limits other than those that this process has.
    func spawn(
        _ command: Command, streams: [Stdio], extra: [Int32: Descriptor], foreground: Bool,
        limits: [Surroundings.Limit] = []
    ) async throws -> SandboxProcess {
        var passed: [(target: Int32, descriptor: Descriptor)] = []
        var captures: [Capture] = []
        for (number, stdio) in streams.enumerated() {
            let target = Int32(number)
            switch stdio {
            case .null: break
            case .inherit: passed.append((target, try Self.duplicate(target)))
            case .descriptor(let descriptor): passed.append((target, descriptor))
            case .capture(let limit):
                guard number > 0 else { throw SandboxError.invalid("Standard input cannot be captured.") }
                let (read, write) = try Descriptor.pipe()
                passed.append((target, write))
                let bound = min(limit, specification.profile.limits.output.map { Int(clamping: $0) } ?? .max)
                captures.append(
                    try Capture(stream: target, limit: bound, source: read) { [weak self] in self?.break(.output) })
            }
        }
        for (target, descriptor) in extra.sorted(by: { $0.key < $1.key }) {
            guard (3...250).contains(target) else {
                throw SandboxError.invalid("A command's extra descriptors are numbered 3 to 250; \(target) is not.")
            }
            passed.append((target, descriptor))
        }
        guard passed.count < CSANDBOX_MAX_PASSED else {
            throw SandboxError.invalid("A command takes at most \(CSANDBOX_MAX_PASSED - 1) descriptors.")
        }
        let identity = try CommandIdentity.resolve(command.user, singleUser: singleUser)
        let plan = try CommandWriter.write(
            command, environment: specification.profile.environment, identity: identity, targets: passed.map(\.target),
            foreground: foreground, limits: limits)
        let (id, start) = await channel.run([plan] + passed.map(\.descriptor))
        switch start {
        case .started(let pid):
            for capture in captures { try capture.start() }
            return SandboxProcess(pid: pid, id: id, channel: channel, captures: captures) { [weak self] in
                self?.noteFullLayers()
            }
        case .failed(let step, let code):
            throw SandboxError.start(
                step: String(cString: csandbox_step_name(step)), errno: code, program: command.arguments.first ?? "")
        case .ended:
            throw SandboxError.ended("The sandbox “\(specification.label)” has ended\(ended); start a new one.")
        }
    }

    private var ended: String {
        state.withLock { $0.breach }.map { " (\($0.rawValue))" } ?? ""
    }

    private static func duplicate(_ number: Int32) throws -> Descriptor {
        let copy = fcntl(number, F_DUPFD_CLOEXEC, 3)
        guard copy >= 0 else { throw SystemError(call: "fcntl", subject: "descriptor \(number)", code: errno) }
        return Descriptor(owning: copy)
    }

    /// A TCP socket, not yet connected, that lives in the sandbox's network. Unlike ``networkNamespace`` it needs no privilege.
    ///
    /// `family` is AF_INET or AF_INET6.
    public func tcpSocket(family: Int32 = 2) async throws -> Descriptor {
        guard let socket = await channel.tcpSocket(family: family) else {
            throw SandboxError.ended("The sandbox “\(specification.label)” gave no socket: it has ended\(ended).")
        }
        return socket
    }

    /// Reads a file as the sandbox sees it, while the sandbox runs: a report that a check wrote, for example.
    ///
    /// Symbolic links are followed, but never out of the sandbox.
    ///
    /// - Throws: `SystemError`; EFBIG when it has more than `limit` bytes, EINVAL when it is no regular file.
    public func read(_ path: String, limit: Int = 64 << 20) throws -> Data {
        let inRoot: UInt64 = 0x10  // RESOLVE_IN_ROOT
        let noMagic: UInt64 = 0x02  // RESOLVE_NO_MAGICLINKS
        let file = try Files.open(path, flags: O_RDONLY | O_NONBLOCK, at: root, resolve: inRoot | noMagic)
        guard try Files.status(of: file).isFile else { throw SystemError(call: "read", subject: path, code: EINVAL) }
        return try Files.read(file, limit: limit, subject: path)
    }

    /// Kills everything, waits until the last process is gone, and removes the control group and the throw-away layers.
    ///
    /// May be called more than once; every call gets the same outcome.
    ///
    /// - Throws: when something is left that could not be removed.
    public func end() async throws -> SandboxOutcome { try await end { _ in } }

    /// As ``end()``; `gone` is called, by the first call alone, as soon as the last process is, and before anything is removed. Without
    /// `figures` the outcome has those alone that tell a breach: they are half a millisecond of a short command's time.
    func end(figures: Bool = true, gone: (SandboxOutcome) -> Void) async throws -> SandboxOutcome {
        let isFirst = state.withLock { state in
            guard case .notYet = state.ending else { return false }
            state.ending = .underway(waiting: [])
            return true
        }
        guard isFirst else { return try await ended().get() }
        let result: Result<SandboxOutcome, any Error>
        do { result = .success(try await finish(figures, gone)) } catch { result = .failure(error) }
        let waiting = state.withLock { state in
            defer { state.ending = .over(result) }
            if case .underway(let waiting) = state.ending { return waiting }
            return []
        }
        for other in waiting { other.resume(returning: result) }
        return try result.get()
    }

    private func ended() async -> Result<SandboxOutcome, any Error> {
        await withCheckedContinuation { continuation in
            let result = state.withLock { state -> Result<SandboxOutcome, any Error>? in
                switch state.ending {
                case .over(let result): return result
                case .underway(let waiting): state.ending = .underway(waiting: waiting + [continuation])
                case .notYet: break  // whoever asks has seen another state
                }
                return nil
            }
            if let result { continuation.resume(returning: result) }
        }
    }

    /// To its end whatever happens to the task that calls it: nothing here asks whether that was cancelled, or half a sandbox would be left.
    private func finish(_ figures: Bool, _ gone: (SandboxOutcome) -> Void) async throws -> SandboxOutcome {
        stopClock()
        noteFullLayers()
        channel.close()
        try? Processes.sendSignal(first, 9)
        await channel.finished()
        let elapsed = state.withLock { $0.started }.duration(to: .now)
        let network = await egress?.close()
        func sample(_ cgroup: Cgroup) -> CgroupSample { figures ? cgroup.sample() : cgroup.breaches() }
        var outcome = outcome(cgroup.map(sample) ?? CgroupSample(), elapsed: elapsed, network)
        gone(outcome)
        if let cgroup {
            // PID 1's end was everybody's end, so usually the group is empty and goes at once. A process put into it from outside
            // must not keep it either.
            if try !cgroup.removeEmpty() {
                try await cgroup.kill(timeout: .seconds(5))
                outcome = self.outcome(sample(cgroup), elapsed: elapsed, network)
                try await cgroup.remove()
            }
        }
        root.close()
        networkNamespace?.close()
        state.withLock { _ in first.close() }
        for record in holds { record.close() }
        for path in leftovers { try Scratch.remove(path) }
        return outcome
    }

    private func outcome(_ sample: CgroupSample, elapsed: Duration, _ network: NetworkUse?) -> SandboxOutcome {
        let (noticed, diskFull) = state.withLock { ($0.breach, $0.diskFull) }
        let found: Breach? =
            (sample.oomKills ?? 0) > 0 ? .oom : diskFull ? .disk : (sample.pidsRefused ?? 0) > 0 ? .pids : nil
        let parts = elapsed.components
        return SandboxOutcome(
            breach: noticed ?? found, final: sample,
            elapsed: Double(parts.seconds) + Double(parts.attoseconds) / 1e18, deniedCalls: deniedCalls,
            network: network)
    }

    private var deniedCalls: DeniedCalls {
        if let missing = fallbacks.first(where: { $0.feature == .deniedCalls }) {
            return DeniedCalls(notCounted: missing.detail)
        }
        return channel.deniedCalls
    }

    /// Kills everything inside; nothing once the end has begun to take it down, whose numbers are others' then.
    func kill() {
        state.withLock { state in
            if !first.isClosed { try? Processes.sendSignal(first, 9) }
        }
    }

    /// Notes a breach and kills everything. The first breach stays.
    func `break`(_ breach: Breach) {
        state.withLock { if $0.breach == nil { $0.breach = breach } }
        kill()
    }

    /// Looked at whenever a command has ended, and at the end: a program that cleans up after “no space left” does so at once, and
    /// the kernel counts no such refusals. An overlay answers statfs for its upper layer.
    private func noteFullLayers() {
        guard specification.profile.limits.disk != nil, !root.isClosed, isRootLayerFull() else { return }
        state.withLock { $0.diskFull = true }
    }

    private func isRootLayerFull() -> Bool {
        guard let status = try? Files.fileSystem("/proc/self/fd/\(root.raw)/") else { return false }
        // A tmpfs refuses at the last page. ext4 refuses earlier: what a large write would take in one piece, and the bookkeeping of it.
        let rest = layersAreInMemory ? 4096 : min(2 << 20, status.size / 32)
        return status.available < rest || (status.inodes > 0 && status.inodesAvailable == 0)
    }
}
