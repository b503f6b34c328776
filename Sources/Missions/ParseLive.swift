internal import Documents

extension MissionParser {
    func live(_ field: Field) -> LiveSpecification {
        var live = LiveSpecification()
        guard let members = Members(field, keys: ["apply", "watch", "rollback_harmful", "quiesce"]) else { return live }
        members["quiesce"]?.problem(
            "stopping units while files are exchanged is not done by this version of Grace; take it out, and know that a reader may see a mixture across paths."
        )
        if let value = members["rollback_harmful"]?.boolean() { live.rollbackHarmful = value }
        if let apply = Members(members["apply"], keys: ["reload", "restart", "run"]) {
            live.apply.reload = apply["reload"]?.texts().compactMap { $0.unit() } ?? []
            live.apply.restart = apply["restart"]?.texts().compactMap { $0.unit() } ?? []
            live.apply.run = apply["run"]?.texts().compactMap { $0.command() } ?? []
            for unit in Set(live.apply.reload).intersection(live.apply.restart).sorted() {
                apply["restart"]?.problem("\(unit) is reloaded as well; write it once.")
            }
        }
        if let watch = members["watch"] { live.watch = self.watch(watch) }
        return live
    }

    private func watch(_ field: Field) -> WatchSpecification {
        var watch = WatchSpecification()
        guard let members = Members(field, keys: ["for", "probes", "limits", "interval"]) else { return watch }
        if let seconds = members["for"]?.span(in: MissionBounds.watch) { watch.duration = seconds }
        if let seconds = members["interval"]?.span(in: MissionBounds.watchInterval) { watch.interval = seconds }
        if watch.interval > watch.duration {
            (members["interval"] ?? field).problem(
                "the watch is over before its second probe; lengthen “for” or shorten “interval”.")
        }
        watch.probes =
            members["probes"]?.list()?.compactMap { item in
                guard let probe = Members(item, keys: ["http"]) else { return nil }
                return probe.required("http", "the address to ask")?.httpURL().map(Probe.init(http:))
            } ?? []
        if let limits = Members(members["limits"], keys: ["error_rate", "latency_p95"]) {
            if let field = limits["error_rate"], let ratio = field.ratio() {
                if MissionBounds.watchErrorRate.contains(ratio.fraction) {
                    watch.limits.errorRate = ratio.fraction
                } else {
                    field.problem("expected a share of failed probes from 0% to 100%, found \(ratio).")
                }
            }
            watch.limits.latencyP95 = limits["latency_p95"]?.span(in: MissionBounds.watchLatency)
            if watch.probes.isEmpty, members["probes"] == nil {
                limits.field.problem("limits need “probes”: without them nothing is watched.")
            }
        }
        return watch
    }
}
