using System.Collections.Immutable;

namespace FedKSeed.Federation.Rates;

/// <summary>What commits said of a client.</summary>
/// <param name="Examples">What the last of its committed reports declared.</param>
/// <param name="Values">x of its last committed reports, the oldest first: as many as the window holds, once there were so many.</param>
public sealed record ClientHistory(int Examples, IReadOnlyList<double> Values)
{
    /// <summary>Summed in their order.</summary>
    public double Mean => Values.Aggregate(0.0, (sum, value) => sum + value) / Values.Count;
}

/// <summary>Histories of all clients that have one, and the factors that follow from them. Immutable.</summary>
public sealed class ClientHistories
{
    private readonly Dictionary<string, double> _factors = new(StringComparer.Ordinal);

    private ClientHistories() => ByClient = ImmutableSortedDictionary.Create<string, ClientHistory>(StringComparer.Ordinal);

    /// <param name="histories">By the clients' names, in their order.</param>
    public ClientHistories(FederationSettings settings, ImmutableSortedDictionary<string, ClientHistory> histories)
    {
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentNullException.ThrowIfNull(histories);
        ByClient = histories;
        if (histories.IsEmpty)
            return;
        var factors = settings.ClientRateForm.Factors(
            [.. histories.Values.Select(history => history.Mean)], [.. histories.Values.Select(history => history.Examples)],
            settings.ClientRateSpread);
        foreach (var (client, factor) in histories.Keys.Zip(factors))
            _factors[client] = factor;
    }

    public static ClientHistories None { get; } = new();

    public ImmutableSortedDictionary<string, ClientHistory> ByClient { get; }

    /// <summary>1 for a client without a history.</summary>
    public double FactorOf(string client) => _factors.GetValueOrDefault(client, 1);

    /// <param name="reports">What a commit took in, in the order of the assignments.</param>
    public ClientHistories After(FederationSettings settings, IReadOnlyList<RatedReport> reports)
    {
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentNullException.ThrowIfNull(reports);
        var observed = settings.ClientRates.Observe(reports, settings.Directions.SeedCount);
        if (observed.Count == 0)
            return this;
        var histories = ByClient.ToBuilder();
        foreach (var (report, value) in reports.Zip(observed))
        {
            if (value is not { } known)
                continue;
            var before = histories.GetValueOrDefault(report.Aggregated.Client)?.Values ?? [];
            histories[report.Aggregated.Client] = new ClientHistory(
                report.Aggregated.Examples, [.. before.Skip(before.Count + 1 - settings.ClientRateWindow), known]);
        }
        return new ClientHistories(settings, histories.ToImmutable());
    }
}
