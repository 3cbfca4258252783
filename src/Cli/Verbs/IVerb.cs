using System.CommandLine;

namespace FedKSeed.Cli.Verbs;

/// <summary>What a verb is made with.</summary>
/// <param name="Verbose">Whether logs, and stack traces of failures, are to be shown.</param>
/// <param name="Input">What interactive verbs read.</param>
/// <param name="Interruption">What a verb says to whoever stops it; the token of its action tells it to end.</param>
public sealed record VerbContext(Option<bool> Verbose, TextReader Input, Interruption Interruption);

/// <summary>
/// A verb of the command: a class of this kind with a constructor without parameters is one, with nothing to register. Its failures are
/// exceptions; see <see cref="UsageException"/> and <see cref="FailureException"/>.
/// </summary>
public interface IVerb
{
    /// <summary>Where help lists it: runs first, then what works on their results, then tools.</summary>
    int Place { get; }

    Command Create(VerbContext context);

    /// <summary>What else is wrong with arguments that were refused already: everything is said at once.</summary>
    IEnumerable<string> Faults(ParseResult parsed) => [];
}
