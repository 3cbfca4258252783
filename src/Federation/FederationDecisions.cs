using FedKSeed.Contracts;
using FedKSeed.Federation.Aggregation;
using FedKSeed.Federation.Log;
using FedKSeed.Federation.Rates;
using FedKSeed.Federation.Rounds;

namespace FedKSeed.Federation;

/// <summary>A client's report as it came in.</summary>
/// <param name="Scalars">Projected gradient of each step that gave one, in the order of the steps.</param>
/// <param name="SkippedSteps">Positions, ascending, of the steps that gave none because their loss was not finite.</param>
/// <param name="MeanLoss">Of the steps that gave a scalar, nats a token; null where it was not asked for.</param>
public sealed record ClientReport(
    AssignmentKey Key, int BaseVersion, int Examples, ReadOnlyMemory<float> Scalars, IReadOnlyList<int> SkippedSteps,
    float? MeanLoss = null);

/// <summary>What becomes of a report.</summary>
public abstract record ReportVerdict
{
    /// <param name="Entry">What it will be in the log.</param>
    public sealed record Accept(ScalarsReportedEntry Entry) : ReportVerdict;

    /// <summary>The log holds it already: its sender is told so again.</summary>
    public sealed record Repeat : ReportVerdict;

    /// <summary>The federation's dropout takes it, and nobody hears of it.</summary>
    public sealed record Lost : ReportVerdict;

    public sealed record Refuse(string Reason) : ReportVerdict;
}

/// <summary>
/// What may happen next, as pure functions of the state: each gives the events to append, or none when it happened before. The
/// fold calls the same functions to check what it reads, so a log that could not have been written this way is found out.
/// </summary>
public static partial class FederationDecisions
{
    /// <param name="actor">Who opens it; null where nobody said.</param>
    /// <exception cref="InvalidOperationException">It was opened with other settings.</exception>
    /// <exception cref="FormatException">The actor is no name of one.</exception>
    public static IReadOnlyList<LogEvent> Open(FederationState state, FederationSettings settings, string? actor = null)
    {
        if (actor is not null)
            RequireWords(actor);
        if (state.Settings is null)
            return [new FederationOpenedEntry(LogProtocol.Current, settings, actor)];
        return SettingsJson.Canonical(state.Settings) == SettingsJson.Canonical(settings)
            ? []
            : throw new InvalidOperationException(
                $"Federation '{settings.Name}' was opened with other settings: {Differences(state.Settings, settings)}.");
    }

    private static string Differences(FederationSettings recorded, FederationSettings given) =>
        string.Join("; ", SettingsJson.Differences(recorded, given)
            .Select(setting => $"{setting.Path} is {setting.One} in its log, {setting.Other} was given"));

    /// <summary>
    /// Starts a round, unless the federation is paused: an assignment for every participant that is not barred, drawn from the present
    /// version's distribution.
    /// </summary>
    public static IReadOnlyList<LogEvent> StartRound(
        FederationState state, int round, IEnumerable<string> participants, DateTimeOffset now)
    {
        if (state.Settings is null || state.Closed is not null || state.Paused is not null)
            return [];
        var clients = participants.Where(client => !state.IsBarred(client, now)).Distinct().Order(StringComparer.Ordinal).ToArray();
        return state.Round is not null || round != state.LastRound + 1 || clients.Length == 0
            ? []
            : [new RoundStartedEntry(round, clients), .. clients.Select(client => Assign(state, new AssignmentKey(round, client)))];
    }

    /// <summary>
    /// Assignments in the open round of a continuous federation for clients that are free: their first in it, or the one after those they
    /// reported. A client with one that it has not reported gets none, nor does one that is barred, nor anyone while the federation is
    /// paused.
    /// </summary>
    /// <param name="inHand">
    /// Assignments whose reports were accepted and are not committed. What is there stays until the round is over.
    /// </param>
    public static IReadOnlyList<LogEvent> JoinRound(
        FederationState state, int round, IEnumerable<string> clients, IReadOnlySet<AssignmentKey> inHand, DateTimeOffset now)
    {
        if (!state.IsContinuous || state.Closed is not null || state.Paused is not null || state.Round?.Number != round)
            return [];
        List<LogEvent> assigned = [];
        foreach (var client in clients.Where(client => !state.IsBarred(client, now)).Distinct().Order(StringComparer.Ordinal))
        {
            var key = new AssignmentKey(round, client);
            while (state.Assignments.TryGetValue(key, out var made) && (made.IsLost || inHand.Contains(key)))
                key = key.Next;
            if (!state.Assignments.ContainsKey(key))
                assigned.Add(Assign(state, key));
        }
        return assigned;
    }

    private static SeedsAssignedEntry Assign(FederationState state, AssignmentKey key)
    {
        var drawn = Draw(state, key);
        return new SeedsAssignedEntry(
            key.Round, key.Client, drawn.BaseVersion, drawn.LearningRate, key.Turn,
            state.Protocol <= LogProtocol.LastWithSeeds ? drawn.Seeds : default(ReadOnlyMemory<ushort>?));
    }

    /// <summary>What an assignment made now is: the same for whoever makes it and for whoever folds it.</summary>
    internal static Assignment Draw(FederationState state, AssignmentKey key)
    {
        var settings = state.Settings!;
        var seeds = state.Distribution!.Draw(settings.Directions.PoolKey, key, settings.StepsPerRound);
        var learningRate = settings.LearningRateOf(key.Round) * settings.ClientRates.FactorOf(settings, state.Histories, key);
        return new Assignment(key, state.Version, learningRate, seeds, default, IsReported: false);
    }

    /// <summary>
    /// Checks a report against the book: its assignment, base version, counts and range, and that its client is not barred. What was
    /// assigned before a bar and is reported after its end is judged like any other.
    /// </summary>
    public static ReportVerdict Judge(FederationState state, ClientReport report, DateTimeOffset now)
    {
        if (state.Settings is not { } settings)
            return new ReportVerdict.Refuse("the federation is not open");
        if (!state.Assignments.TryGetValue(report.Key, out var assignment))
        {
            // Round r is based on version r − 1.
            var isOld = report.Key.Round >= 1 && state.Version - (report.Key.Round - 1) > settings.StalenessBound;
            return new ReportVerdict.Refuse(
                isOld ? $"it is more than {settings.StalenessBound} commits old" : $"there is no assignment {report.Key}");
        }
        if (assignment.IsReported)
            return new ReportVerdict.Repeat();
        if (Dropout.Takes(settings, report.Key))
            return new ReportVerdict.Lost();
        if (state.Closed is not null)
            return new ReportVerdict.Refuse("the federation is closed");
        if (state.BarOf(report.Key.Client, now) is { } barred)
            return new ReportVerdict.Refuse(Words(barred));
        if (state.Round is null && state.Version >= settings.Rounds)
            return new ReportVerdict.Refuse("the last round was committed");
        if (Fault(settings, assignment, report) is { } fault)
            return new ReportVerdict.Refuse(fault);

        var (round, client, turn) = report.Key;
        return new ReportVerdict.Accept(state.Protocol <= LogProtocol.LastWithSeeds
            ? new ScalarsReportedEntry(
                round, client, report.BaseVersion, report.Examples, report.Scalars, null, turn,
                Without(assignment.Seeds, report.SkippedSteps), report.MeanLoss)
            : new ScalarsReportedEntry(
                round, client, report.BaseVersion, report.Examples, report.Scalars,
                report.SkippedSteps.Count == 0 ? null : report.SkippedSteps, turn, MeanLoss: report.MeanLoss));
    }

    /// <summary>The seeds of an assignment's steps but the skipped ones.</summary>
    /// <param name="skipped">Positions, ascending.</param>
    internal static ReadOnlyMemory<ushort> Without(ReadOnlyMemory<ushort> seeds, IReadOnlyList<int> skipped)
    {
        if (skipped.Count == 0)
            return seeds;
        var positions = skipped.ToHashSet();
        return seeds.ToArray().Where((_, step) => !positions.Contains(step)).ToArray();
    }

    private static string? Fault(FederationSettings settings, Assignment assignment, ClientReport report)
    {
        var steps = assignment.Seeds.Length;
        if (report.BaseVersion != assignment.BaseVersion)
            return $"it is based on version {report.BaseVersion}, its assignment on {assignment.BaseVersion}";
        if (report.Examples is < 1 or > Limits.Examples)
            return $"{report.Examples} examples are not between 1 and {Limits.Examples}";
        if (SkippedFault(report.Scalars.Length, report.SkippedSteps, steps) is { } skippedFault)
            return skippedFault;
        foreach (var scalar in report.Scalars.Span)
            if (!float.IsFinite(scalar) || Math.Abs(scalar) > settings.MaximumScalar)
                return $"a scalar is not finite or beyond ±{settings.MaximumScalar}";
        return LossFault(settings, report.MeanLoss, report.Scalars.Length);
    }

    /// <summary>What is wrong with the mean loss of a report, or with its having none.</summary>
    /// <param name="scalars">Steps that it is the mean of.</param>
    internal static string? LossFault(FederationSettings settings, float? loss, int scalars)
    {
        var isDue = settings.ClientRates.TakesLoss && scalars > 0;
        return loss is not { } value ? (isDue ? "it has no mean loss, which the rates of clients go by" : null)
            : !isDue ? "it has a mean loss, which nothing goes by"
            : value is >= 0 and <= Limits.MeanLoss ? null
            : $"its mean loss is not between 0 and {Limits.MeanLoss}";
    }

    /// <summary>What keeps scalars and skipped steps from being the steps of an assignment.</summary>
    internal static string? SkippedFault(int scalars, IReadOnlyList<int> skipped, int steps)
    {
        if (scalars + skipped.Count != steps)
            return $"{scalars} scalars and {skipped.Count} skipped steps are not {steps} steps";
        for (var k = 0; k < skipped.Count; k++)
            if (skipped[k] <= (k == 0 ? -1 : skipped[k - 1]) || skipped[k] >= steps)
                return $"its skipped steps are not ascending positions below {steps}";
        return null;
    }

    /// <summary>
    /// Ends the open round with a commit of every report in hand, stragglers of earlier rounds included; those of clients that are barred
    /// are left out, and never reach the log.
    /// </summary>
    /// <param name="inHand">Accepted reports that are not in the log yet; they are written in the order of their keys.</param>
    public static IReadOnlyList<LogEvent> Commit(
        FederationState state, int round, RoundEnd closed, IEnumerable<ScalarsReportedEntry> inHand, DateTimeOffset now)
    {
        if (state.Closed is not null || state.Round?.Number != round)
            return [];
        var reports = Counting(state, inHand, now);
        var after = reports.Aggregate(state, (before, report) => FederationFold.Take(before, report, now));
        return [.. reports, CommitOf(after, closed).Entry];
    }

    /// <summary>The commit of what the log holds uncommitted, and what is after it.</summary>
    internal static (RoundCommittedEntry Entry, ReadOnlyMemory<long> Accumulators, ClientHistories Histories) CommitOf(
        FederationState state, RoundEnd closed)
    {
        var settings = state.Settings!;
        var reports = state.Uncommitted.ConvertAll(item => new AggregatedReport(
            item.Report.Client,
            item.Report.Examples,
            state.Version - item.Report.BaseVersion,
            item.Seeds,
            Contributions(item.Assignment.LearningRate, item.Report.Scalars.Span)));
        var (weights, accumulators) = settings.Aggregation.Commit(state.Accumulators, reports);
        var committed = state.Uncommitted
            .Select((item, k) => new CommittedReport(item.Report.Round, item.Report.Client, weights[k], item.Report.Turn)).ToArray();
        var entry = new RoundCommittedEntry(
            state.Round!.Number, closed, state.Version + 1, committed, Accumulators.Digest(accumulators.Span));
        RatedReport[] rated = [.. reports.Zip(state.Uncommitted, (report, item) => new RatedReport(report, item.Report.MeanLoss))];
        return (entry, accumulators, state.Histories.After(settings, rated));
    }

    private static long[] Contributions(double learningRate, ReadOnlySpan<float> scalars)
    {
        var contributions = new long[scalars.Length];
        for (var step = 0; step < scalars.Length; step++)
            contributions[step] = Accumulators.Contribution(learningRate, scalars[step]);
        return contributions;
    }

    /// <summary>Records an evaluation, once per version.</summary>
    public static IReadOnlyList<LogEvent> Evaluate(FederationState state, ModelEvaluatedEntry evaluation) =>
        state.Settings is null || state.Closed is not null || evaluation.Version < 0 || evaluation.Version > state.Version
            || state.EvaluationOf(evaluation.Version) is not null
            ? []
            : [evaluation];

    /// <summary>
    /// Ends the federation between two rounds, as its settings say. Reports that came after the last commit are written down before the
    /// end, so that none that was accepted is lost, but no version counts them; those of clients that are barred are not.
    /// </summary>
    /// <exception cref="FormatException">It is stopped by somebody: <see cref="Stop"/> does that.</exception>
    public static IReadOnlyList<LogEvent> Close(
        FederationState state, FederationEnd reason, int version, IEnumerable<ScalarsReportedEntry> inHand, DateTimeOffset now)
    {
        if (reason == FederationEnd.Stopped)
            throw new FormatException($"nobody is named who ends the federation, which {reason} needs");
        return state.Settings is null || state.Closed is not null || state.Round is not null || version < 0 || version > state.Version
            ? []
            : [.. Counting(state, inHand, now), new FederationClosedEntry(reason, version)];
    }

    /// <summary>Reports in hand in the order in which they are written.</summary>
    private static ScalarsReportedEntry[] Counting(
        FederationState state, IEnumerable<ScalarsReportedEntry> inHand, DateTimeOffset now) =>
        [.. inHand.Where(report => !state.IsBarred(report.Client, now)).OrderBy(report => report.Key)];
}
