using System.Globalization;
using FedKSeed.Observation;

namespace FedKSeed.Cli.Display;

/// <summary>One plain line for every commit: what a run prints where there is no terminal.</summary>
public static class RoundLine
{
    /// <summary>The line that a change of the view deserves; null for most.</summary>
    public static string? Of(FederationView before, FederationView after, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(before);
        ArgumentNullException.ThrowIfNull(after);
        if (after.ExactMatch.Count > before.ExactMatch.Count)
            return Evaluation(after);
        return after.Version > before.Version ? Commit(before, after, now) : null;
    }

    private static string Evaluation(FederationView view)
    {
        var version = view.ExactMatch[^1].Version;
        var loss = view.HeldOutLoss.Find(point => point.Version == version);
        return string.Create(
            CultureInfo.InvariantCulture,
            $"version {version}: held-out loss {(loss.Value > 0 ? Quantity.Loss(loss.Value) : "not finite")}, exact match "
                + $"{Quantity.Share(view.ExactMatch[^1].Value)}");
    }

    private static string Commit(FederationView before, FederationView after, DateTimeOffset now)
    {
        var loss = after.TrainingLoss.IsEmpty
            ? ""
            : string.Create(CultureInfo.InvariantCulture, $"loss {after.TrainingLoss[^1].Value:F3}, ");
        var left = after.Remaining(now) is { } remaining ? $", {Quantity.Time(remaining)} left" : "";
        var moved = after.IsMeasured
            ? $", {loss}{Quantity.Bytes(after.BytesUp)} up, {Quantity.Bytes(after.BytesDown)} down"
            : "";
        return $"round {after.Version}/{after.Rounds}: {before.Reported} of {before.Assigned} reports{moved}{left}";
    }
}
