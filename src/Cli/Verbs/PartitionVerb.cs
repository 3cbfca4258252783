using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using FedKSeed.Cli.Display;
using FedKSeed.InstructionData;
using FedKSeed.InstructionData.Forms;
using Spectre.Console;

namespace FedKSeed.Cli.Verbs;

/// <summary>fedkseed partition: one data set as the files of many clients, for fedkseed run --data.</summary>
internal sealed class PartitionVerb : IVerb
{
    private const double DefaultAlpha = 0.5;
    private const int MaxClients = 100_000;

    // More columns than these do not fit a screen.
    private const int MaxShownKinds = 10;

    private static readonly string[] WrittenNames = ["client-*", "held-out"];

    private static readonly Dictionary<string, PartitionBy> Ways = new(StringComparer.Ordinal)
    {
        ["dirichlet"] = PartitionBy.Dirichlet,
        ["file"] = PartitionBy.File,
        ["even"] = PartitionBy.Even,
    };

    public int Place => 50;

    public Command Create(VerbContext context)
    {
        var data = new Option<string[]>("--data")
        {
            Description = "Data files, or a folder of them: JSON lines, JSON or Parquet.",
            HelpName = "FILE",
            Required = true,
            AllowMultipleArgumentsPerToken = true,
        };
        var clients = CommonOptions.Number("--clients", "Clients. [default with --by file: one a file]", 1, MaxClients);
        var target = new Option<DirectoryInfo>("--to")
        {
            Description = "Folder for client-*.jsonl and held-out.jsonl.",
            HelpName = "DIR",
            Required = true
        };
        var by = CommonOptions.Word<PartitionBy>(
            "--by", Ways.Keys, "Who gets what. [default: dirichlet]", word => Ways.TryGetValue(word, out var way) ? way : null);
        var alpha = CommonOptions.Number(
            "--alpha",
            "Concentration of the Dirichlet distribution: small for clients that differ. [default: "
                + $"{DefaultAlpha.ToString(CultureInfo.InvariantCulture)}]", 1e-4, 1e6);
        var field = new Option<string?>("--field")
        {
            Description = "Field whose values are spread unevenly. [default: category or task_name]",
            HelpName = "NAME"
        };
        var heldOut = CommonOptions.Number("--held-out", "Share of the records that no client gets. [default: 0]", 0.0, 0.99);
        var seed = CommonOptions.Number("--seed", "The same seed gives the same files. [default: 0]", 0UL, ulong.MaxValue);
        var format = CommonOptions.Format();
        var force = new Option<bool>("--force")
        {
            Description = "Write into a folder that is not empty; client and held-out files in it are replaced."
        };
        var json = CommonOptions.Json();
        var verb = new Command("partition", "Share a data set out to clients.") {
            data, clients, target, by, alpha, field, heldOut, seed, format, force, json };
        verb.SetAction((parsed, cancel) =>
        {
            var request = new Request(
                parsed.GetRequiredValue(data), parsed.GetValue(clients), parsed.GetRequiredValue(target).FullName,
                parsed.GetValue(by) ?? PartitionBy.Dirichlet, parsed.GetValue(alpha), parsed.GetValue(field), parsed.GetValue(heldOut) ?? 0,
                parsed.GetValue(seed) ?? 0, parsed.GetValue(format), parsed.GetValue(force));
            var isJson = parsed.GetValue(json);
            var (parts, kinds) = Execute(request, parsed.InvocationConfiguration.Error, cancel);
            if (isJson)
                parsed.InvocationConfiguration.Output.WriteLine(
                    JsonSerializer.Serialize(new { folder = request.Target, parts }, CommonOptions.JsonFormat));
            else
                Screen.Of(parsed.InvocationConfiguration, isJson, parsed.GetValue(context.Verbose)).Show(Table(parts, kinds));
            return Task.FromResult(ExitCode.Done);
        });
        return verb;
    }

    private sealed record Request(
        string[] Data, int? Clients, string Target, PartitionBy By, double? Alpha, string? Field, double HeldOut, ulong Seed,
        DataFormat? Format, bool Force);

    /// <summary>A record and what counts as its kind: the value of the field, or its file.</summary>
    private sealed record Item(JsonElement Json, string Kind);

    /// <summary>What a client, or the held-out file, holds.</summary>
    /// <param name="File">Name of the file; null where there is nothing to write.</param>
    /// <param name="Kinds">Number of records of each kind, those of which there are any.</param>
    private sealed record Part(string Name, string? File, int Examples, IReadOnlyDictionary<string, int> Kinds);

    private static (IReadOnlyList<Part> Parts, IReadOnlyList<string> Kinds) Execute(
        Request request, TextWriter errors, CancellationToken cancel)
    {
        var faults = Faults(request).ToList();
        var files = Files(request.Data);
        if (files.Length == 0)
            faults.Add("--data: there is no data file.");
        var items = new List<Item>();
        foreach (var file in files)
        {
            cancel.ThrowIfCancellationRequested();
            faults.AddRange(UsageException.FaultsOf("--data", file, path => items.AddRange(Items(path, request))));
        }
        var kinds = items.Select(item => item.Kind).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).ToArray();
        if (request.By == PartitionBy.File && request.Clients > files.Length)
            faults.Add($"--clients: there are only {files.Length} files for {request.Clients} clients.");
        if (faults.Count > 0)
            throw new UsageException(faults);

        var partition = new Partition(
            request.By, request.Clients ?? kinds.Length, request.Alpha ?? DefaultAlpha, request.HeldOut, request.Seed);
        var owners = partition.Owners([.. items.Select(item => item.Kind)]);
        var parts = Write(request.Target, items, owners, partition, cancel);
        if (parts.Where(part => part.File is null).Select(part => part.Name).ToArray() is { Length: > 0 } empty)
            errors.WriteLine(
                $"fedkseed: nothing is left for {string.Join(", ", empty)}: no file is written. "
                    + "A larger --alpha, fewer --clients or another --seed may help.");
        return (parts, kinds);
    }

    private static IEnumerable<string> Faults(Request request)
    {
        if (request.Clients is null && request.By != PartitionBy.File)
            yield return "--clients is needed, except with --by file.";
        if (request.By != PartitionBy.Dirichlet && request.Alpha is not null)
            yield return "--alpha goes with --by dirichlet.";
        if (request.By != PartitionBy.Dirichlet && request.Field is not null)
            yield return "--field goes with --by dirichlet.";
        foreach (var path in request.Data.Where(path => !File.Exists(path) && !Directory.Exists(path)))
            yield return $"--data: there is no file or folder '{Path.GetFullPath(path)}'.";
        var target = Path.TrimEndingDirectorySeparator(request.Target);
        if (Files(request.Data).Where(file => Path.GetDirectoryName(file) == target).ToArray() is { Length: > 0 } own)
            yield return $"--to: '{request.Target}' holds the data itself: {string.Join(", ", own.Select(Path.GetFileName))}.";
        else if (!request.Force && Directory.Exists(request.Target) && Directory.EnumerateFileSystemEntries(request.Target).Any())
            yield return $"--to: '{request.Target}' is not empty; --force replaces the client and held-out files in it.";
        else if (File.Exists(request.Target))
            yield return $"--to: '{request.Target}' is a file.";
    }

    /// <summary>Full paths; the data files of a folder in the order of their names.</summary>
    private static string[] Files(string[] paths) =>
        [.. paths.SelectMany(path => Directory.Exists(path)
            ? DataFile.Extensions.SelectMany(extension => Directory.EnumerateFiles(path, "*" + extension)).Order(StringComparer.Ordinal)
            : File.Exists(path) ? [path] : Enumerable.Empty<string>()).Select(Path.GetFullPath).Distinct()];

    private static IEnumerable<Item> Items(string path, Request request)
    {
        var data = DataFile.Read(path, request.Format);
        if (request.By != PartitionBy.Dirichlet)
            return data.Records.Select(record => new Item(record.Json, Path.GetFileName(path)));
        var field = request.Field ?? (data.Format == DataFormat.NaturalInstructions ? "task_name" : "category");
        var lacking = data.Records.Count(record => ValueOf(record.Json, field) is null);
        return lacking == 0
            ? data.Records.Select(record => new Item(record.Json, ValueOf(record.Json, field)!))
            : throw new InvalidDataException(
                $"{path}: {lacking} of {data.Records.Count} records have no text or number in \"{field}\"; the first has the fields "
                    + $"{string.Join(", ", data.Records[0].Json.EnumerateObject().Select(each => each.Name))}. --field names another.");
    }

    private static string? ValueOf(JsonElement record, string field) =>
        !record.TryGetProperty(field, out var value) ? null
        : value.ValueKind == JsonValueKind.String ? value.GetString()
        : value.ValueKind is JsonValueKind.Number or JsonValueKind.True or JsonValueKind.False ? value.GetRawText()
        : null;

    private static List<Part> Write(string folder, List<Item> items, int[] owners, Partition partition, CancellationToken cancel)
    {
        Directory.CreateDirectory(folder);
        // What an earlier partition left would be taken for clients of this one.
        foreach (var old in WrittenNames.SelectMany(
            name => DataFile.Extensions.SelectMany(extension => Directory.EnumerateFiles(folder, name + extension))))
            File.Delete(old);
        var digits = partition.Clients.ToString(CultureInfo.InvariantCulture).Length;
        var byOwner = items.Zip(owners).ToLookup(pair => pair.Second, pair => pair.First);
        var parts = new List<Part>();
        for (var client = 0; client < partition.Clients; client++)
        {
            cancel.ThrowIfCancellationRequested();
            parts.Add(
                Write(folder, "client-" + (client + 1).ToString(CultureInfo.InvariantCulture).PadLeft(digits, '0'), [.. byOwner[client]]));
        }
        if (partition.HeldOut > 0)
            parts.Add(Write(folder, "held-out", [.. byOwner[Partition.Nobody]]));
        return parts;
    }

    private static Part Write(string folder, string name, Item[] items)
    {
        var file = items.Length == 0 ? null : name + ".jsonl";
        if (file is not null)
            File.WriteAllText(
                Path.Combine(folder, file),
                string.Concat(items.Select(item => JsonSerializer.Serialize(item.Json, CommonOptions.JsonFormat) + "\n")));
        return new Part(
            name, file, items.Length, items.CountBy(item => item.Kind).OrderBy(pair => pair.Key, StringComparer.Ordinal).ToDictionary());
    }

    private static Table Table(IReadOnlyList<Part> parts, IReadOnlyList<string> kinds)
    {
        var shown = kinds.Count <= MaxShownKinds
            ? kinds
            : [.. kinds.OrderByDescending(kind => parts.Sum(part => part.Kinds.GetValueOrDefault(kind)))
                .ThenBy(kind => kind, StringComparer.Ordinal)
                .Take(MaxShownKinds)];
        var table = new Table().Border(TableBorder.Simple).AddColumn("").AddColumn(Right("examples")).AddColumn(Right("kinds"));
        foreach (var kind in shown)
            table.AddColumn(Right(kind));
        if (kinds.Count > shown.Count)
            table.AddColumn(Right($"{kinds.Count - shown.Count} others"));
        foreach (var part in parts.Append(new Part("together", null, parts.Sum(part => part.Examples), Together(parts))))
        {
            var counts = shown.Select(kind => part.Kinds.GetValueOrDefault(kind)).ToList();
            if (kinds.Count > shown.Count)
                counts.Add(part.Examples - counts.Sum());
            int[] row = [part.Examples, part.Kinds.Count, .. counts];
            table.AddRow([Markup.Escape(part.Name), .. row.Select(count => count.ToString(CultureInfo.InvariantCulture))]);
        }
        return table;
    }

    private static TableColumn Right(string name) => new TableColumn(Markup.Escape(name)).RightAligned();

    private static Dictionary<string, int> Together(IReadOnlyList<Part> parts) =>
        parts.SelectMany(part => part.Kinds).GroupBy(pair => pair.Key, StringComparer.Ordinal)
            .ToDictionary(group => group.Key, group => group.Sum(pair => pair.Value));
}
