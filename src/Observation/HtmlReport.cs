using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;
using FedKSeed.Federation;
using FedKSeed.Federation.Log;

namespace FedKSeed.Observation;

/// <summary>
/// A run as one HTML page that needs nothing beside it: charts by uPlot, which is inlined with its licence, and every number as a table
/// for those who do not see charts. Pure.
/// </summary>
public static partial class HtmlReport
{
    // The default encoder escapes < and >, so that no text in the data can end the script that it stands in.
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { Converters = { new JsonStringEnumConverter() } };

    public static string Of(IEnumerable<LogEntry> log, RunMetrics metrics, RunSummary summary)
    {
        ArgumentNullException.ThrowIfNull(summary);
        var data = ReportData.Of(log, metrics, summary);
        return new StringBuilder(Resource("report.html"))
            .Replace("{{uplot-licence}}", Resource("uPlot.LICENSE"))
            .Replace("{{uplot-style}}", Resource("uPlot.uPlot.min.css"))
            .Replace("{{uplot-script}}", Resource("uPlot.uPlot.iife.min.js"))
            .Replace("{{title}}", Escape($"{data.Settings.Name}: {summary.Reason}"))
            .Replace("{{outcome}}", Outcome(data))
            .Replace("{{advice}}", Advice(summary))
            .Replace("{{scores}}", Scores(summary))
            .Replace("{{answers}}", Answers(summary))
            .Replace("{{versions}}", Versions(data))
            .Replace("{{log-hash}}", Escape(summary.LogHash))
            .Replace("{{settings}}", Settings(data.Settings))
            .Replace("{{data}}", JsonSerializer.Serialize(data, Json))
            .ToString();
    }

    private static string Outcome(ReportData data)
    {
        var summary = data.Summary;
        var factor = summary.BytesUp + summary.BytesDown > 0 ? 2 * summary.FedAvgBytes / (summary.BytesUp + summary.BytesDown) : 0;
        var why = summary.Why.Length > 0 ? $": {summary.Why}" : "";
        var outcome = Escape(string.Create(
            CultureInfo.InvariantCulture,
            $"{summary.Reason} after {summary.Rounds} rounds of {data.Clients.Count} clients in "
                + $"{Quantity.Time(TimeSpan.FromSeconds(summary.Seconds))}; version {summary.Version} was kept{why}. "
                + $"A client moved {Quantity.Bytes(summary.BytesDown)} down and {Quantity.Bytes(summary.BytesUp)} up in a round, "
                + $"envelopes included; "
                + $"FedAvg would have moved {Quantity.Bytes(summary.FedAvgBytes)} each way, {factor:F0} times as much."));
        // A number and its unit stay on one line.
        return NumberWithUnit().Replace(outcome, "$1&nbsp;$2");
    }

    private static string Advice(RunSummary summary) => summary.Advice.Count == 0
        ? ""
        : $"<h2>What to change</h2>\n<ul>{string.Concat(summary.Advice.Select(advice => $"<li>{Escape(advice)}</li>"))}</ul>";

    private static string Scores(RunSummary summary) =>
        Row("loss, nats a token", Quantity.Loss(summary.Before.Loss), Quantity.Loss(summary.After.Loss))
        + Row("exact match", Quantity.Share(summary.Before.ExactMatch), Quantity.Share(summary.After.ExactMatch))
        + Row("ROUGE-L", Quantity.Share(summary.Before.RougeL), Quantity.Share(summary.After.RougeL));

    private static string Answers(RunSummary summary) => string.Concat(summary.Before.Answers.Zip(summary.After.Answers)
        .Select(pair => $"<tr>{Cell("question", pair.Second.Question)}{Cell("wanted", pair.Second.Wanted)}"
            + $"{Cell("before", pair.First.Answer)}{Cell("after", pair.Second.Answer)}</tr>\n"));

    /// <summary>Where there is no room for columns, a cell stands below its name.</summary>
    private static string Cell(string name, string text) => $"<td data-name=\"{name}\">{Escape(text.Trim())}</td>";

    private static string Versions(ReportData data) => string.Concat(data.Versions.Select(version => Row(
        Number(version.Version), $"{version.Reports} of {version.Participants}", Quantity.Loss(version.TrainingLoss),
        Quantity.Loss(version.HeldOutLoss),
        version.ExactMatch is { } exact ? Quantity.Share(exact) : "–", Bytes(version.BytesUp), Bytes(version.BytesDown),
        version.Seconds.ToString("F1", CultureInfo.InvariantCulture))));

    private static string Bytes(long? bytes) => bytes is { } count ? Quantity.Bytes(count) : "–";

    /// <summary>As docs/SETTINGS.md names them.</summary>
    private static string Settings(FederationSettings settings) =>
        string.Concat(SettingsJson.Configuration(settings, "federation").Select(setting =>
            Row(setting.Key.Replace(':', '.'), setting.Value ?? "")));

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

    [GeneratedRegex(@"(\d) (s|min|h|B|kB|MB|GB)\b")]
    private static partial Regex NumberWithUnit();

    private static string Resource(string name)
    {
        using var stream = typeof(HtmlReport).Assembly.GetManifestResourceStream($"FedKSeed.Observation.{name}")
            ?? throw new InvalidOperationException($"The program was built without its resource {name}.");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
