/// JSON merge patch (RFC 7396).
package enum MergePatch {
    /// The document with the patch applied: null takes a key away, maps are merged, all else replaces.
    package static func apply(_ patch: Document, to document: Document) -> Document {
        guard let changes = patch.entries else { return patch }
        var entries = document.entries ?? []
        for change in changes {
            let index = entries.firstIndex { $0.key == change.key }
            if change.value.isNull {
                if let index { entries.remove(at: index) }
            } else if let index {
                entries[index].value = apply(change.value, to: entries[index].value)
            } else {
                entries.append(
                    Document.Entry(key: change.key, value: apply(change.value, to: .null))
                )
            }
        }
        return Document(.map(entries))
    }
}
