using System.CommandLine;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace FedKSeed.Cli.Verbs;

/// <summary>Options that several verbs have, and what they print for machines.</summary>
internal static class CommonOptions
{
    public static JsonSerializerOptions JsonFormat { get; } = new(JsonSerializerDefaults.Web)
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        Converters = { new JsonStringEnumConverter() },
    };

    public static Option<FileInfo> Log() => new("--log")
    {
        Description = "The log: events.log of a run.",
        HelpName = "FILE",
        Required = true,
    };

    public static Option<bool> Json() => new("--json") { Description = "Print the result as one line of JSON." };

    public static void RequireFile(FileInfo file, string option)
    {
        if (!file.Exists)
            throw new UsageException([$"{option}: there is no file '{file.FullName}'."]);
    }
}
