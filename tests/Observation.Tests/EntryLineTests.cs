using FedKSeed.Federation.Log;

namespace FedKSeed.Observation.Tests;

public class EntryLineTests
{
    private static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public static TheoryData<LogEvent, string> Acts => new()
    {
        { new FederationPausedEntry("ann", "a backup"), "FederationPaused   no new round until it is resumed, by ann: a backup" },
        { new FederationPausedEntry("ann", ""), "FederationPaused   no new round until it is resumed, by ann" },
        { new FederationResumedEntry("ben"), "FederationResumed  rounds go on, by ben" },
        {
            new ClientBarredEntry("client-1", "wrong labels", "ann", Start.AddHours(1)),
            "ClientBarred       client-1: nothing of it counts until 2026-01-01 01:00:00, by ann: wrong labels"
        },
        {
            new ClientBarredEntry("client-1", "", "ann"),
            "ClientBarred       client-1: nothing of it counts until it is readmitted, by ann"
        },
        {
            new ClientReadmittedEntry("client-1", "new labels", "ben"),
            "ClientReadmitted   client-1: it takes part again, by ben: new labels"
        },
        {
            new FederationClosedEntry(FederationEnd.Stopped, 3, "ann"), "FederationClosed   Stopped: version 3 is kept, by ann"
        },
        { new FederationClosedEntry(FederationEnd.Completed, 3), "FederationClosed   Completed: version 3 is kept" },
    };

    [Theory, MemberData(nameof(Acts))]
    public void What_people_do_is_told_with_who_did_it_and_why(LogEvent happened, string words) =>
        Assert.Equal("      7  2026-01-01 00:00:00  " + words, EntryLine.Of(new LogEntry(7, Start, happened, "")));

    [Fact]
    public void An_opening_is_told_with_who_opened_it_where_somebody_said()
    {
        var settings = new Federation.FederationSettings { BaseModelDigest = new string('a', 64) };
        string Line(string? actor) =>
            EntryLine.Of(new LogEntry(0, Start, new FederationOpenedEntry(LogProtocol.Current, settings, actor), ""));
        Assert.EndsWith($"format {LogProtocol.Current}, by ann", Line("ann"), StringComparison.Ordinal);
        Assert.EndsWith($"format {LogProtocol.Current}", Line(null), StringComparison.Ordinal);
    }
}
