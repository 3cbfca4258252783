using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using FedKSeed.Federation;
using FedKSeed.Federation.Log;

namespace FedKSeed.Observation;

/// <summary>
/// A run as one HTML page that needs nothing beside it: charts by uPlot, which is inlined with its licence, and every number as a table
/// for those who do not see charts. Pure.
/// </summary>
public static class HtmlReport
{
    // The default encoder escapes < and >, so that no text in the data can end the script that it stands in.
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { Converters = { new JsonStringEnumConverter() } };

    public static string Of(IEnumerable<LogEntry> log, IReadOnlyList<VersionMetrics> metrics, RunSummary summary)
    {
        ArgumentNullException.ThrowIfNull(summary);
        var data = ReportData.Of(log, metrics, summary);
        return new StringBuilder(Resource("report.html"))
            .Replace("{{uplot-licence}}", Resource("uPlot.LICENSE"))
            .Replace("{{uplot-style}}", Resource("uPlot.uPlot.min.css"))
            .Replace("{{uplot-script}}", Resource("uPlot.uPlot.iife.min.js"))
            .Replace("{{title}}", Escape($"{data.Settings.Name}: {summary.Reason}"))
            .Replace("{{outcome}}", Outcome(data))
            .Replace("{{scores}}", Scores(summary))
            .Replace("{{answers}}", Answers(summary))
            .Replace("{{versions}}", Versions(data))
            .Replace("{{settings}}", Settings(data.Settings))
            .Replace("{{data}}", JsonSerializer.Serialize(data, Json))
            .ToString();
    }

    private static string Outcome(ReportData data)
    {
        var summary = data.Summary;
        var factor = summary.BytesUp + summary.BytesDown > 0 ? 2 * summary.FedAvgBytes / (summary.BytesUp + summary.BytesDown) : 0;
        return Escape(string.Create(
            CultureInfo.InvariantCulture,
            $"{summary.Reason} after {summary.Rounds} rounds of {data.Clients.Count} clients in "
                + $"{Quantity.Time(TimeSpan.FromSeconds(summary.Seconds))}; version {summary.Version} was kept. A client moved "
                + $"{Quantity.Bytes(summary.BytesDown)} down and {Quantity.Bytes(summary.BytesUp)} up in a round, envelopes included; "
                + $"FedAvg would have moved {Quantity.Bytes(summary.FedAvgBytes)} each way, {factor:F0} times as much."));
    }

    private static string Scores(RunSummary summary) =>
        Row("loss, nats a token", Quantity.Loss(summary.Before.Loss), Quantity.Loss(summary.After.Loss))
        + Row("exact match", Quantity.Share(summary.Before.ExactMatch), Quantity.Share(summary.After.ExactMatch))
        + Row("ROUGE-L", Quantity.Share(summary.Before.RougeL), Quantity.Share(summary.After.RougeL));

    private static string Answers(RunSummary summary) => string.Concat(summary.Before.Answers.Zip(summary.After.Answers)
        .Select(pair => Row(pair.Second.Question, pair.Second.Wanted, pair.First.Answer, pair.Second.Answer)));

    private static string Versions(ReportData data) => string.Concat(data.Versions.Select(version => Row(
        Number(version.Version), $"{version.Reports} of {version.Participants}", Quantity.Loss(version.TrainingLoss),
        Quantity.Loss(version.HeldOutLoss),
        version.ExactMatch is { } exact ? Quantity.Share(exact) : "–", Quantity.Bytes(version.BytesUp), Quantity.Bytes(version.BytesDown),
        version.Seconds.ToString("F1", CultureInfo.InvariantCulture))));

    private static string Settings(FederationSettings settings) =>
        string.Concat(settings.GetType().GetProperties().Select(property =>
            Row(property.Name, Convert.ToString(property.GetValue(settings), CultureInfo.InvariantCulture) ?? "")));

    /// <summary>The first cell names the row.</summary>
    private static string Row(string name, params ReadOnlySpan<string> cells)
    {
        var row = new StringBuilder($"<tr><th scope=\"row\">{Escape(name)}</th>");
        foreach (var cell in cells)
            row.Append(CultureInfo.InvariantCulture, $"<td>{Escape(cell)}</td>");
        return row.Append("</tr>\n").ToString();
    }

    private static string Number(int value) => value.ToString(CultureInfo.InvariantCulture);

    private static string Escape(string text) =>
        WebUtility.HtmlEncode(text).Replace("{{", "&#123;&#123;", StringComparison.Ordinal);

    private static string Resource(string name)
    {
        using var stream = typeof(HtmlReport).Assembly.GetManifestResourceStream($"FedKSeed.Observation.{name}")
            ?? throw new InvalidOperationException($"The program was built without its resource {name}.");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
