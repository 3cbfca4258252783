using System.ComponentModel.DataAnnotations;
using System.Reflection;
using System.Text.RegularExpressions;
using FedKSeed.Operations.Settings;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace FedKSeed.Operations;

/// <summary>The life of a service's process, and what it says to whoever started it wrongly.</summary>
public static partial class ServiceProgram
{
    /// <summary>A setting is wrong: starting it again would not help.</summary>
    public const int WrongSettings = 2;

    private const int Failed = 1;
    private const string Verbose = "--verbose", Help = "--help";

    // What these say with a stack, or every two seconds, this program and Readiness say once and in a line.
    private static readonly string[] Quiet =
    [
        "--Logging:LogLevel:Microsoft.Extensions.Hosting.Internal.Host=None",
        "--Logging:LogLevel:Microsoft.Extensions.Diagnostics.HealthChecks=None",
        // Each request to the API, in several lines: who watches asks twice a second.
        "--Logging:LogLevel:Microsoft.AspNetCore=Warning",
    ];

    private static readonly string[] Loud = ["--Logging:LogLevel:Default=Debug"];

    private static string Name => AppDomain.CurrentDomain.FriendlyName;

    /// <summary>
    /// Builds a service and runs it until it is told to end, or one of its parts fails. What ends it is one line each on standard error,
    /// without a stack unless "--verbose" is given.
    /// </summary>
    /// <param name="sections">What it can be told.</param>
    /// <param name="build">From the arguments that are settings.</param>
    /// <returns>The process's exit code.</returns>
    public static async Task<int> RunAsync(string[] arguments, IReadOnlyList<SettingSection> sections, Func<string[], IHost> build)
    {
        ArgumentNullException.ThrowIfNull(build);
        if (arguments.Contains(Help))
        {
            await Console.Out.WriteAsync(SettingsHelp.Of(Name, sections));
            return 0;
        }
        var isVerbose = arguments.Contains(Verbose);
        var ending = CancellationToken.None;
        try
        {
            using var host = build([.. isVerbose ? Loud : Quiet, .. arguments.Where(argument => argument != Verbose)]);
            RequireSettings(host, sections);
            ending = host.Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping;
            // Made here, so that the host does not log what cannot be made with its stack.
            var parts = host.Services.GetServices<IHostedService>();
            await host.RunAsync();
            return parts.Select(FaultOf).FirstOrDefault(fault => fault is not null) is { } fault ? await SayAsync(fault, isVerbose) : 0;
        }
        catch (Exception fault) when (SettingFaults(fault, sections) is { Count: > 0 } faults)
        {
            await SayAsync(faults);
            return WrongSettings;
        }
        catch (OperationCanceledException) when (ending.IsCancellationRequested)
        {
            // Told to end before all of it had started: what it waited for was given up.
            return 0;
        }
        catch (Exception fault)
        {
            return await SayAsync(fault, isVerbose);
        }
    }

    /// <summary>Why a part of a host ended before it was told to; null for one that did not.</summary>
    public static Exception? FaultOf(IHostedService part) => (part as BackgroundService)?.ExecuteTask?.Exception?.GetBaseException();

    /// <summary>All that is wrong, before anything is made: a model that cannot be loaded would hide a number out of range.</summary>
    private static void RequireSettings(IHost host, IReadOnlyList<SettingSection> sections)
    {
        List<string> faults = [.. SettingSection.Faults(host.Services.GetRequiredService<IConfiguration>(), sections)];
        try
        {
            host.Services.GetService<IStartupValidator>()?.Validate();
        }
        catch (Exception fault) when (SettingFaults(fault, sections) is { Count: > 0 } found)
        {
            faults.AddRange(found);
        }
        if (faults.Count > 0)
            throw new OptionsValidationException("", typeof(SettingSection), faults);
    }

    /// <summary>All that is wrong with the settings; nothing when it is something else that failed.</summary>
    private static List<string> SettingFaults(Exception fault, IReadOnlyList<SettingSection> sections) => fault switch
    {
        OptionsValidationException wrong => [.. wrong.Failures],
        AggregateException several when several.InnerExceptions.All(inner => inner is OptionsValidationException) =>
            [.. several.InnerExceptions.SelectMany(inner => SettingFaults(inner, sections))],
        // A value of another type: the binder says where it stands, and what was given, which may be nobody's business.
        InvalidOperationException { Source: "Microsoft.Extensions.Configuration.Binder" } => [WithoutSecrets(fault.Message, sections)],
        _ => [],
    };

    private static string WithoutSecrets(string message, IReadOnlyList<SettingSection> sections)
    {
        if (Unreadable().Match(message) is not { Success: true } match)
            return message;
        var path = match.Groups["path"].Value;
        var isSecret = sections.Any(section => section.Options.GetProperties().Any(property =>
            path.Equals($"{section.Name}:{property.Name}", StringComparison.OrdinalIgnoreCase)
                && property.GetCustomAttribute<DataTypeAttribute>() is { DataType: DataType.Password }));
        return isSecret ? $"{path} cannot be read: it is no {match.Groups["type"].Value.Split('.')[^1]}." : message;
    }

    private static async Task<int> SayAsync(Exception fault, bool isVerbose)
    {
        // What is a person's to mend says what it is; anything else is ours, and its kind helps us.
        var isOurs = fault is not (IOException or InvalidDataException or UnauthorizedAccessException or FormatException);
        await SayAsync([isOurs ? $"{fault.Message} ({fault.GetType().Name}; {Verbose} shows where)" : fault.Message]);
        if (isVerbose)
            await Console.Error.WriteLineAsync(fault.ToString());
        return Failed;
    }

    private static Task SayAsync(IEnumerable<string> faults) => Console.Error.WriteAsync(
        string.Concat(faults.SelectMany(fault => fault.ReplaceLineEndings("; ").Split("; "))
            .Select(line => $"{Name}: {line}{Environment.NewLine}")));

    [GeneratedRegex("^Failed to convert configuration value .* at '(?<path>[^']*)' to type '(?<type>[^']*)'", RegexOptions.Singleline)]
    private static partial Regex Unreadable();
}
