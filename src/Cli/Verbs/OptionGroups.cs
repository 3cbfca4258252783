using System.CommandLine;
using System.Runtime.CompilerServices;

namespace FedKSeed.Cli.Verbs;

/// <summary>Under which heading help lists an option.</summary>
internal static class OptionGroups
{
    private const string Otherwise = "Options";

    private static readonly ConditionalWeakTable<Option, string> Groups = [];

    public static T In<T>(this T option, string group) where T : Option
    {
        Groups.Add(option, group);
        return option;
    }

    public static string GroupOf(Option option) => Groups.TryGetValue(option, out var group) ? group : Otherwise;
}
