/// The checkout these tests were built from.
enum Repository {
    static let root = #filePath.split(separator: "/").dropLast(4).reduce("") { $0 + "/" + $1 }
    static let profiles = root + "/sandbox-profiles"
}
