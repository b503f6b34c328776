internal import Documents
internal import Missions
internal import Sandbox

extension HunterScan {
    /// Calls that a sandbox's filter denied to the change, or to what it changed, and never to the baseline.
    ///
    /// One finding for each call: a program that tries a thing a thousand times has tried one thing.
    mutating func denied(_ reports: [DeniedReport]) {
        let baseline = Set(reports.filter { $0.part == DeniedReport.baseline }.flatMap { $0.denied.calls.map(\.call) })
        var new: [String: [DeniedCall]] = [:]
        for report in reports where report.part != DeniedReport.baseline {
            for call in report.denied.calls where !baseline.contains(call.call) {
                new[call.call, default: []].append(call)
            }
        }
        for (call, all) in new.sorted(by: { $0.key < $1.key }) {
            let programs = Set(all.map { $0.program ?? "a program that was gone" }).sorted()
            let shown = programs.prefix(4).joined(separator: ", ") + (programs.count > 4 ? ", …" : "")
            add(
                .deniedCall, at: nil,
                "The change made \(shown) try the system call \(call), which sandboxes are denied, "
                    + "\(all.reduce(0) { $0 + $1.count }) times; without it nothing did.",
                key: call)
        }
    }
}
