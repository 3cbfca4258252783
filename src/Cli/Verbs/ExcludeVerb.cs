using System.CommandLine;
using System.Globalization;
using FedKSeed.Cli.Remote;
using FedKSeed.RoundService.Api;

namespace FedKSeed.Cli.Verbs;

/// <summary>fedkseed exclude: nothing more of a client counts.</summary>
internal sealed class ExcludeVerb() : SteeringVerb(
    "exclude", "Exclude a client from a federation: it gets no assignments, and nothing that it reports counts.",
    "excluded; fedkseed readmit lets it take part again.")
{
    private static readonly TimeProvider Time = TimeProvider.System;

    private readonly Argument<string> _client = new("CLIENT") { Description = "Name of the client." };
    private readonly Option<DateTimeOffset?> _until = new("--until")
    {
        HelpName = "TIME",
        Description = "When it is over by itself: 2026-12-24T18:00Z, or a time from now, 90m, 12h, 3d. [default: when it is readmitted]",
        CustomParser = argument =>
        {
            if (EndOf(argument.Tokens[0].Value, Time.GetUtcNow()) is { } end)
                return end;
            argument.AddError($"--until must be a time to come, 2026-12-24T18:00Z, or one from now, 3d, not '{argument.Tokens[0].Value}'.");
            return null;
        },
    };

    public override int Place => 30;

    protected override IEnumerable<Argument> OwnArguments => [_client];

    protected override IEnumerable<Option> OwnOptions => [_until];

    /// <summary>A time that is not over: as it is, in UTC unless it says otherwise, or counted from now. Null for anything else.</summary>
    internal static DateTimeOffset? EndOf(string text, DateTimeOffset now)
    {
        if (NumberText.Time(text) is { } length)
            return length > TimeSpan.Zero && length < DateTimeOffset.MaxValue - now ? now + length : null;
        return DateTimeOffset.TryParse(
            text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var end) && end > now
            ? end
            : null;
    }

    protected override IEnumerable<string?> OwnFaults(ParseResult parsed) =>
        [ServerOptions.FaultOfName("CLIENT", parsed.GetRequiredValue(_client))];

    protected override Task<bool> SteerAsync(
        FederationServer server, string federation, string? reason, ParseResult parsed, CancellationToken cancel) => server.SteerAsync(
            federation, parsed.GetRequiredValue(_client), "exclude", new SteeringRequest(reason, parsed.GetValue(_until)), cancel);
}
