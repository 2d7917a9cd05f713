import Postgres
import Reactor
import Store

extension DatabaseAccess {
    /// Fills an empty database; until the body has come to its end nobody serves what is there.
    ///
    /// A body that fails leaves nothing. When this process or the database is gone before that, a mark
    /// stays: servers refuse the database, and the next filling begins anew.
    static func filling<Value: Sendable>(
        _ url: DatabaseURL,
        on reactor: Reactor,
        _ body: () async throws(StartFailure) -> Value
    ) async throws(StartFailure) -> Value {
        var settings = PostgresSettings(url: url)
        settings.applicationName = "turnpike-transfer"
        settings.statementTimeout = .seconds(600)
        let claim: PostgresConnection
        do throws(PostgresError) {
            claim = try await PostgresConnection.connect(settings, on: reactor)
        } catch {
            throw .work("\(url): \(error)")
        }
        let outcome: Result<Value, StartFailure>
        do throws(StartFailure) {
            outcome = .success(try await filling(url, under: claim, on: reactor, body))
        } catch {
            outcome = .failure(error)
        }
        await claim.close()
        return try outcome.get()
    }

    private static func filling<Value: Sendable>(
        _ url: DatabaseURL,
        under claim: PostgresConnection,
        on reactor: Reactor,
        _ body: () async throws(StartFailure) -> Value
    ) async throws(StartFailure) -> Value {
        // The lock lives as long as the connection: two that fill would take turns at destroying.
        let isFree = try await step(url, claim) { database throws(PostgresError) in
            try await TransferRepository.claim(in: database)
        }
        guard isFree else { throw .work("\(url): somebody else is filling this database now") }
        let isEmpty = try await step(url, claim) { database throws(PostgresError) in
            try await TransferRepository.discardUnfinished(in: database)
            guard try await TransferRepository.isEmpty(in: database) else { return false }
            try await TransferRepository.markUnfinished(in: database)
            return true
        }
        guard isEmpty else {
            throw .work("\(url): the database holds a Turnpike already; name an empty one")
        }
        do throws(StartFailure) {
            // Roles and rights as a migration makes them; the schemas come with the copy.
            try await migrate(url, on: reactor)
            let isClear = try await read(url, on: reactor) { database throws(PostgresError) in
                try await TransferRepository.clear(in: database)
            }
            guard isClear else { throw .work("\(url): somebody else has just started on it") }
            let value = try await body()
            try await step(url, claim) { database throws(PostgresError) in
                try await TransferRepository.markFinished(in: database)
            }
            return value
        } catch {
            // At worst the mark stays.
            _ = try? await step(url, claim) { database throws(PostgresError) in
                try await TransferRepository.discardUnfinished(in: database)
            }
            throw error
        }
    }

    @discardableResult
    private static func step<Value: Sendable>(
        _ url: DatabaseURL,
        _ claim: PostgresConnection,
        _ body: (PostgresTransaction) async throws(PostgresError) -> Value
    ) async throws(StartFailure) -> Value {
        do throws(PostgresError) {
            return try await claim.withTransaction(isolation: .readCommitted, body)
        } catch {
            throw .work("\(url): \(error)")
        }
    }

    /// Refuses a database that somebody began to fill and did not come to the end.
    static func demandWhole(_ url: DatabaseURL, on reactor: Reactor) async throws(StartFailure) {
        let isUnfinished = try await read(url, on: reactor) { database throws(PostgresError) in
            try await TransferRepository.isUnfinished(in: database)
        }
        guard !isUnfinished else { throw unfinished("\(url)") }
    }

    /// What is said of such a database.
    static func unfinished(_ place: String) -> StartFailure {
        .work(
            "\(place): a restore or move into this database has not come to its end, so what it holds"
                + " is not whole: run that command again, which begins anew (an embedded one: remove"
                + " the directory first)"
        )
    }

    /// Copies a database that nobody writes into an empty one, and compares both.
    static func copy(
        _ source: Place,
        to target: Place,
        on reactor: Reactor
    ) async throws(StartFailure) -> DatabaseSummary {
        try await demandWhole(source.url, on: reactor)
        let before = try await summary(source.url, on: reactor)
        return try await filling(target.url, on: reactor) { () throws(StartFailure) in
            try await pass(source, to: target, on: reactor)
            let after = try await summary(target.url, on: reactor)
            guard after == before else {
                throw .work(
                    "\(target.url): the copy differs from what was copied; it must not be used"
                )
            }
            try await migrate(target.url, on: reactor)
            return after
        }
    }

    private static func pass(
        _ source: Place,
        to target: Place,
        on reactor: Reactor
    ) async throws(StartFailure) {
        let (channel, progress) = (PieceChannel(), Progress("copying"))
        let taking = Task { () -> StartFailure? in
            do throws(StartFailure) {
                try await target.programs.restore(target.url) { () throws(StartFailure) in
                    try channel.next()
                }
                return nil
            } catch {
                channel.fail(error)
                return error
            }
        }
        let count = Counted()
        do throws(StartFailure) {
            try await source.programs.dump(source.url) { piece throws(StartFailure) in
                progress.report(count.add(piece.count))
                try channel.put(piece)
            }
            channel.finish()
        } catch {
            channel.fail(error)
            _ = await taking.value
            throw error
        }
        if let failure = await taking.value { throw failure }
    }
}
