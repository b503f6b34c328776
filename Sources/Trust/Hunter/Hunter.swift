public import Fork
internal import FoundationEssentials
internal import Linux
public import Missions

/// Looks for what a change set newly brings in that could hurt the host (DESIGN section 6).
///
/// Only what is new counts: what was so in the pre-image is no finding. Where the pre-image is not known, all is new.
public enum Hunter {
    /// The name of the built-in scanner.
    public static let native = "native"

    /// Scans a change set.
    ///
    /// - Parameters:
    ///   - changeSet: what is scanned.
    ///   - blobs: the contents it names. One that can't be read is a high finding, never a pass.
    ///   - base: the pre-images of its paths.
    ///   - context: pre-image contents, the host's scanners, the mission's scope.
    /// - Returns: the findings, in the order of paths, which scanners ran, and the score.
    public static func scan(changeSet: ChangeSet, blobs: BlobStore, base: Base, context: HunterContext) async
        -> HunterReport
    {
        var scan = HunterScan(blobs: blobs, base: base, context: context)
        for change in changeSet.changes {
            if Task.isCancelled { break }
            scan.look(at: change)
        }
        scan.denied(context.denied)
        var scanners = [native: Task.isCancelled ? "NOT_RUN: the scan was cancelled" : "RAN"]
        for scanner in context.scanners where scanner.name != native {
            scanners[scanner.name] = "NOT_RUN: \(absence(scanner))"
        }
        for name in context.required where scanners[name] == nil {
            scanners[name] = "NOT_RUN: no scanner of this name is configured"
        }
        for name in Set(context.required).sorted() where scanners[name] != "RAN" {
            scan.add(
                .scannerNotRun, at: nil, "The required scanner \(name) did not run (\(scanners[name] ?? "NOT_RUN")).",
                key: name)
        }
        return HunterReport(findings: scan.findings, scanners: scanners, score: score(scan.findings))
    }

    /// 1 minus the findings' weights, at least 0.
    public static func score(_ findings: [Finding]) -> Double {
        max(0, 1 - findings.map(\.severity.weight).reduce(0, +))
    }

    private static func absence(_ scanner: HunterContext.Scanner) -> String {
        guard scanner.program.hasPrefix("/") else {
            return "its program “\(scanner.program)” is no absolute path; write one"
        }
        guard let status = (try? Files.status(scanner.program)) ?? nil else {
            return "there is no \(scanner.program); install it, or take it out of the configuration"
        }
        guard status.kind != .directory else { return "\(scanner.program) is a directory" }
        return
            "this version of Grace runs its built-in checks alone; use --sarif with a check of the mission to bring in \(scanner.program)'s findings"
    }
}
