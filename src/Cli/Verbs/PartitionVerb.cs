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

    private const int MaxShownNames = 10;

    // Bytes that wait to be written: files are opened seldom, and never all at once.
    private const long MaxWaitingBytes = 1 << 24;

    private const string WrittenExtension = ".jsonl", NaturalInstructions = "natural-instructions";

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
            Description = $"Data files, or a folder of them: {CommonOptions.DataForms}.",
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
        var fields = CommonOptions.Fields();
        var force = new Option<bool>("--force")
        {
            Description = "Write into a folder that is not empty; client and held-out files in it are replaced."
        };
        var json = CommonOptions.Json();
        var verb = new Command("partition", "Share a data set out to clients.") {
            data, clients, target, by, alpha, field, heldOut, seed, format, fields, force, json };
        verb.SetAction((parsed, cancel) =>
        {
            var request = new Request(
                parsed.GetRequiredValue(data), parsed.GetValue(clients), parsed.GetRequiredValue(target).FullName,
                parsed.GetValue(by) ?? PartitionBy.Dirichlet, parsed.GetValue(alpha), parsed.GetValue(field), parsed.GetValue(heldOut) ?? 0,
                parsed.GetValue(seed) ?? 0, parsed.GetValue(format), parsed.GetValue(fields), parsed.GetValue(force));
            var isJson = parsed.GetValue(json);
            var screen = Screen.Of(parsed.InvocationConfiguration, isJson, parsed.GetValue(context.Verbose));
            var (parts, kinds) = Execute(request, screen, parsed.InvocationConfiguration.Error, cancel);
            if (isJson)
                parsed.InvocationConfiguration.Output.WriteLine(
                    JsonSerializer.Serialize(new { folder = request.Target, parts }, CommonOptions.JsonFormat));
            else
                screen.Show(Table(parts, kinds));
            return Task.FromResult(ExitCode.Done);
        });
        return verb;
    }

    private sealed record Request(
        string[] Data, int? Clients, string Target, PartitionBy By, double? Alpha, string? Field, double HeldOut, ulong Seed,
        DataFormat? Format, string? Fields, bool Force);

    /// <summary>What a client, or the held-out file, holds.</summary>
    /// <param name="File">Name of the file; null where there is nothing to write.</param>
    /// <param name="Kinds">Number of records of each kind, those of which there are any.</param>
    private sealed record Part(string Name, string? File, int Examples, IReadOnlyDictionary<string, int> Kinds);

    private static (IReadOnlyList<Part> Parts, IReadOnlyList<string> Kinds) Execute(
        Request request, Screen screen, TextWriter errors, CancellationToken cancel)
    {
        var faults = Faults(request).ToList();
        var files = Files(request.Data);
        if (files.Length == 0)
            faults.Add($"--data: there is no data file: {CommonOptions.DataForms}.");
        if (NotTaken(request.Data) is { Length: > 0 } others)
            errors.WriteLine($"fedkseed: not taken, since no data file is named so: {string.Join(", ", others)}.");
        DataReading reading = new() { Format = request.Format };
        faults.AddRange(UsageException.FaultsOf(
            "--fields", "", _ => reading = reading with { Fields = FieldNames.Parse(request.Fields) }));
        // Everything is read twice, to know the kinds and to write the records: what is in memory is a number for each record.
        var total = 2.0 * files.Sum(file => new FileInfo(file).Length);
        return screen.During($"Sharing out {(files.Length == 1 ? files[0] : $"{files.Length} files")}", progress =>
        {
            long done = 0;
            reading = reading with { BytesRead = count => progress.Report((done += count) / total) };
            var kinds = Kinds(files, request, reading, faults, cancel);
            var names = kinds.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).ToArray();
            if (request.By == PartitionBy.File && request.Clients > files.Length)
                faults.Add($"--clients: there are only {files.Length} files for {request.Clients} clients.");
            if (faults.Count > 0)
                throw new UsageException(faults);
            var partition = new Partition(
                request.By, request.Clients ?? names.Length, request.Alpha ?? DefaultAlpha, request.HeldOut, request.Seed);
            var owners = partition.Owners(kinds);
            using var owned = OwnedFolder.Take(request.Target, "fedkseed partition");
            // Another partition may have come and gone while the kinds were counted.
            if (NotEmpty(request) is { } fault)
                throw new UsageException([fault]);
            Write(request.Target, files, reading, owners, partition, cancel);
            var parts = Parts(kinds, owners, partition);
            if (parts.Where(part => part.File is null).Select(part => part.Name).ToArray() is { Length: > 0 } empty)
                errors.WriteLine(
                    $"fedkseed: nothing is left for {string.Join(", ", empty.Take(MaxShownNames))}"
                        + (empty.Length > MaxShownNames ? $" and {empty.Length - MaxShownNames} others" : "") + ": no file is written. "
                        + "A larger --alpha, fewer --clients or another --seed may help.");
            return (parts, (IReadOnlyList<string>)names);
        });
    }

    /// <summary>The kind of each record of all files: the value of the field, or its file. A name is in memory once.</summary>
    private static List<string> Kinds(
        string[] files, Request request, DataReading reading, List<string> faults, CancellationToken cancel)
    {
        List<string> kinds = [];
        Dictionary<string, string> names = new(StringComparer.Ordinal);
        foreach (var file in files)
        {
            faults.AddRange(UsageException.FaultsOf("--data", file, path =>
            {
                foreach (var kind in KindsOf(path, request, reading))
                {
                    cancel.ThrowIfCancellationRequested();
                    if (!names.TryGetValue(kind, out var known))
                        names[kind] = known = kind;
                    kinds.Add(known);
                }
            }));
        }
        return kinds;
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
        else if (NotEmpty(request) is { } occupied)
            yield return occupied;
        foreach (var fault in UsageException.FaultsOfTarget("--to", request.Target))
            yield return fault;
    }

    private static string? NotEmpty(Request request) => !request.Force && OwnedFolder.HoldsAnything(request.Target)
        ? $"--to: '{request.Target}' is not empty; --force replaces the client and held-out files in it."
        : null;

    /// <summary>Full paths; the data files of a folder in the order of their names.</summary>
    private static string[] Files(string[] paths) =>
        [.. paths.SelectMany(path => Directory.Exists(path)
            ? Directory.EnumerateFiles(path).Where(DataFile.IsNamedSo).Order(StringComparer.Ordinal)
            : File.Exists(path) ? [path] : Enumerable.Empty<string>()).Select(Path.GetFullPath).Distinct()];

    /// <summary>What lies in a folder of data and is not read.</summary>
    private static string[] NotTaken(string[] paths) =>
        [.. paths.Where(Directory.Exists).SelectMany(Directory.EnumerateFileSystemEntries)
            .Where(entry => Directory.Exists(entry) || !DataFile.IsNamedSo(entry)).Where(OwnedFolder.IsNoClaim)
            .Select(entry => entry + (Directory.Exists(entry) ? "/" : "")).Order(StringComparer.Ordinal)];

    private static IEnumerable<string> KindsOf(string path, Request request, DataReading reading)
    {
        var (format, records) = DataFile.Stream(path, reading);
        var field = request.Field ?? (format.Name == NaturalInstructions ? "task_name" : "category");
        int count = 0, lacking = 0;
        JsonElement first = default;
        foreach (var record in records)
        {
            if (request.By != PartitionBy.Dirichlet)
            {
                yield return Path.GetFileName(path);
                continue;
            }
            if (count++ == 0)
                first = record.Json;
            if (ValueOf(record.Json, field) is { } kind)
                yield return kind;
            else
                lacking++;
        }
        if (lacking > 0)
            throw new InvalidDataException(
                $"{path}: {lacking} of {count} records have no text or number in \"{field}\"; the first has the fields "
                    + $"{string.Join(", ", first.EnumerateObject().Select(each => each.Name))}. --field names another.");
    }

    private static string? ValueOf(JsonElement record, string field) =>
        !record.TryGetProperty(field, out var value) ? null
        : value.ValueKind == JsonValueKind.String ? value.GetString()
        : value.ValueKind is JsonValueKind.Number or JsonValueKind.True or JsonValueKind.False ? value.GetRawText()
        : null;

    /// <summary>Records to the files of their owners, in their order.</summary>
    private static void Write(
        string folder, string[] files, DataReading reading, int[] owners, Partition partition, CancellationToken cancel)
    {
        Directory.CreateDirectory(folder);
        // What an earlier partition left would be taken for clients of this one.
        foreach (var old in WrittenNames.SelectMany(
            name => DataFile.Extensions.SelectMany(extension => Directory.EnumerateFiles(folder, name + extension))).ToArray())
            File.Delete(old);
        Dictionary<int, MemoryStream> waiting = [];
        long bytes = 0;
        foreach (var (owner, record) in owners.Zip(files.SelectMany(file => DataFile.Stream(file, reading).Records)))
        {
            cancel.ThrowIfCancellationRequested();
            if (owner == Partition.LeftOut)
                continue;
            if (!waiting.TryGetValue(owner, out var buffer))
                waiting[owner] = buffer = new MemoryStream();
            var before = buffer.Length;
            JsonSerializer.Serialize(buffer, reading.Fields.Renamed(record.Json), CommonOptions.JsonFormat);
            buffer.WriteByte((byte)'\n');
            if ((bytes += buffer.Length - before) < MaxWaitingBytes)
                continue;
            Append();
            bytes = 0;
        }
        Append();

        void Append()
        {
            foreach (var (owner, buffer) in waiting)
            {
                using FileStream file = new(Path.Combine(folder, NameOf(owner, partition) + WrittenExtension), FileMode.Append);
                buffer.WriteTo(file);
            }
            waiting.Clear();
        }
    }

    private static string NameOf(int owner, Partition partition)
    {
        var digits = partition.Clients.ToString(CultureInfo.InvariantCulture).Length;
        return owner == Partition.Nobody ? "held-out" : "client-" + (owner + 1).ToString(CultureInfo.InvariantCulture).PadLeft(digits, '0');
    }

    private static List<Part> Parts(IReadOnlyList<string> kinds, int[] owners, Partition partition)
    {
        var byOwner = kinds.Zip(owners).ToLookup(pair => pair.Second, pair => pair.First);
        var all = Enumerable.Range(0, partition.Clients).Concat(partition.HeldOut > 0 ? [Partition.Nobody] : []);
        return [.. all.Select(owner =>
        {
            var counts = byOwner[owner].CountBy(kind => kind).OrderBy(pair => pair.Key, StringComparer.Ordinal).ToDictionary();
            var name = NameOf(owner, partition);
            var examples = counts.Values.Sum();
            return new Part(name, examples == 0 ? null : name + WrittenExtension, examples, counts);
        })];
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
