using System.CommandLine;

namespace FedKSeed.Conformance;

internal static class TemplatesCommand
{
    public static Command Create() => new("templates", "later");
}
