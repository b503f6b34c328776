internal import AsyncHTTPClient
internal import Documents
internal import FoundationEssentials
internal import Linux
internal import Logging
internal import NIOCore
internal import NIOHTTP1

/// Tells people through webhooks and commands. Notices wait in the store's outbox; a hook that fails is tried again later,
/// more and more rarely. Each hook is told on its own and in order, so that one which fails or never answers holds up neither the
/// others nor anything else.
actor Notifier {
    /// Most notices that wait for one hook; older ones go.
    static let queueLimit = 500
    /// Tries before a notice is given up: the last about 4 hours after the first.
    static let attemptLimit = 10

    private let hooks: [String: HookSettings]
    /// How long a webhook may take to answer.
    private let patience: TimeAmount
    private let store: any Store
    private let logger: Logger
    private let clock: @Sendable () -> Date
    /// There while ``run()`` runs, which shuts it down.
    private var client: HTTPClient?
    private var waiting: CheckedContinuation<Void, Never>?
    private var awake = false
    private var stopped = false
    /// Hooks that are being told right now.
    private var busy: Set<String> = []

    init(
        hooks: [HookSettings], patience: Double, store: any Store, logger: Logger,
        clock: @escaping @Sendable () -> Date
    ) {
        self.patience = .milliseconds(Int64(patience * 1000))
        self.hooks = Dictionary(hooks.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        self.store = store
        self.logger = logger
        self.clock = clock
    }

    /// Says that there may be something to tell.
    func wake() {
        awake = true
        waiting?.resume()
        waiting = nil
    }

    func stop() {
        stopped = true
        wake()
    }

    /// Delivers until ``stop()``.
    func run() async {
        var configuration = HTTPClient.Configuration()
        configuration.redirectConfiguration = .disallow
        configuration.timeout = .init(connect: .seconds(5), read: patience)
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        self.client = client
        await withDiscardingTaskGroup { group in
            while !stopped {
                awake = false
                for (hook, notices) in await due() {
                    group.addTask {
                        await self.deliver(notices, hook: hook)
                        await self.told(hook)
                    }
                }
                if stopped || awake { continue }
                await sleepUntilWoken()
            }
            // What is on its way is given up; it stays in the outbox.
            group.cancelAll()
        }
        self.client = nil
        try? await client.shutdown()
    }

    private func sleepUntilWoken() async {
        // Retries are due at some time: somebody must look then, too.
        let next = try? await store.read { try $0.nextNoticeTime() }
        guard !awake else { return }
        let alarm = next.map { time in
            Task {
                // A hook that is being told has notices that are due, and its end wakes us.
                try? await Task.sleep(for: .seconds(max(busy.isEmpty ? 0.1 : 1, time.timeIntervalSince(clock()))))
                if !Task.isCancelled { wake() }
            }
        }
        await withCheckedContinuation { waiting = $0 }
        alarm?.cancel()
    }

    /// What is due, at most 20 notices for each hook that isn't being told already; those count as being told from now on.
    private func due() async -> [(hook: String, notices: [NoticeRecord])] {
        let limit = Self.queueLimit * max(1, hooks.count)
        // Who was being told when the question was asked may have been told by the time of the answer, which still names it.
        let told = busy
        let all = (try? await store.read { try $0.noticesDue(at: clock(), limit: limit) }) ?? []
        return Dictionary(grouping: all, by: \.hook)
            .filter { !told.contains($0.key) && busy.insert($0.key).inserted }
            .map { ($0.key, Array($0.value.prefix(20))) }
    }

    private func told(_ hook: String) {
        busy.remove(hook)
        wake()
    }

    private func deliver(_ notices: [NoticeRecord], hook id: String) async {
        for notice in notices {
            guard !stopped else { return }
            guard let hook = hooks[id] else {
                try? await store.write { try $0.removeNotice(notice.id) }
                continue
            }
            let failure = await tell(hook, notice)
            if failure != nil, stopped { return }
            do {
                guard let failure else {
                    try await store.write { try $0.removeNotice(notice.id) }
                    continue
                }
                var later = notice
                later.attempts += 1
                guard later.attempts >= Self.attemptLimit else {
                    later.nextAt = clock().addingTimeInterval(pow2(later.attempts) * 15)
                    logger.warning("the hook \(id) was not told of \(notice.event), try \(later.attempts): \(failure)")
                    let kept = later
                    try await store.write { writer in
                        try writer.update(kept)
                        // Those behind it wait with it, or each would be tried at once, and out of turn.
                        for var next in try writer.noticesDue(at: kept.nextAt, limit: .max)
                        where next.hook == id && next.id != kept.id {
                            next.nextAt = kept.nextAt
                            try writer.update(next)
                        }
                    }
                    return
                }
                logger.error(
                    "the hook \(id) was not told of \(notice.event) after \(later.attempts) tries, given up: \(failure)"
                )
                try await store.write { try $0.removeNotice(notice.id) }
            } catch {
                logger.error("the outbox of the hooks can't be written: \(oneLine("\(error)"))")
                return
            }
        }
    }

    private func pow2(_ exponent: Int) -> Double { Double(1 << min(exponent - 1, 12)) }

    /// Why it failed; `nil` when it did not. Never names the hook's address, which may hold a secret.
    private func tell(_ hook: HookSettings, _ notice: NoticeRecord) async -> String? {
        var body = notice.body.object ?? [:]
        body["notice_id"] = .string(notice.id)
        let data = JSON.object(body).canonical
        switch hook.target {
        case .webhook(let url):
            guard let client else { return "the coordinator is stopping" }
            do {
                var request = HTTPClientRequest(url: url)
                request.method = .POST
                request.headers.add(name: "Content-Type", value: "application/json")
                request.headers.add(name: "Idempotency-Key", value: notice.id)
                request.body = .bytes(ByteBuffer(bytes: data))
                let response = try await client.execute(request, timeout: patience)
                return (200..<300).contains(response.status.code) ? nil : "it answered \(response.status.code)"
            } catch {
                return "it can't be reached (\(type(of: error)))"
            }
        case .command(let words):
            do {
                let output = try await Processes.run(
                    words[0], arguments: Array(words.dropFirst()), input: data, timeout: .seconds(30))
                return output.isSuccess ? nil : "it ended with \(output.exit)"
            } catch {
                return "\(error)"
            }
        }
    }
}
