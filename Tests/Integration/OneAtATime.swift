import Testing

/// Tests that keep every core busy or hold an issue's time bound: none of them runs beside another.
@Suite(.serialized) enum OneAtATime {}
