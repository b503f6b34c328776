import ArgumentParser

struct Create: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Create the database with its first users.")

    @Option(help: "The SQLite file.")
    var database: String

    @Option(help: "How many users.")
    var count = 200_000

    func run() throws {
        let store = try UserStore(path: database)
        try store.createSchema()
        print("The last user's id is \(try store.add(count: count)).")
    }
}
