using System.Text.Json;
using System.Text.Json.Nodes;
using FedKSeed.Bus;
using FedKSeed.Contracts;
using FedKSeed.Federation;
using FedKSeed.Federation.Log;
using FedKSeed.LogStore;
using MassTransit;
using Microsoft.AspNetCore.Http.HttpResults;

namespace FedKSeed.RoundService.Api;

/// <summary>What follows from the state of a federation at some time, where somebody steers it; nothing where it is so already.</summary>
internal delegate IReadOnlyList<LogEvent> SteeringDecision(FederationState state, DateTimeOffset now);

/// <summary>
/// What people want of federations. Nothing is written here: what would not go into the log is refused, the rest is published, for
/// SeedService to write, and shows in the log. Whoever asks again for what is so already changes nothing. Safe to call from any thread.
/// </summary>
internal sealed partial class Steering(
    FederationRegistry registry, FederationReader reader, IBus bus, TimeProvider time, ILogger<Steering> log)
{
    /// <summary>How long a request waits for what it asked for; it is done all the same, later.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan FirstLook = TimeSpan.FromMilliseconds(10), LongestPause = TimeSpan.FromMilliseconds(200);

    /// <param name="stops">Whether it ends the federation: all else cannot be asked of a closed one.</param>
    public async Task<IResult> SteerAsync<T>(
        string name, string actor, string reason, T command, SteeringDecision decide, CancellationToken cancel, bool stops = false)
        where T : class
    {
        var (_, state) = await reader.OfAsync(name, cancel);
        if (Refusal(state, decide, stops) is { } refusal)
            return refusal;
        if (decide(state, reader.Now).Count == 0)
            return TypedResults.Ok(await reader.DetailAsync(name, cancel));
        Wanted(name, actor, typeof(T).Name, reason);
        await PublishAsync(command, cancel);
        var isDone = await UntilAsync(
            async token =>
            {
                (_, state) = await reader.OfAsync(name, token);
                return state.Closed is not null || decide(state, reader.Now).Count == 0;
            },
            cancel);
        if (!isDone)
            return TypedResults.Accepted(AddressOf(name), await reader.DetailAsync(name, cancel));
        return state.Closed is not null && !stops
            ? Closed(state)
            : TypedResults.Ok(await reader.DetailAsync(name, cancel));
    }

    public async Task<IResult> OpenAsync(OpenRequest request, string actor, CancellationToken cancel)
    {
        var (settings, faults) = SettingsOf(request);
        if (settings is null || faults.Count > 0)
            return Problems.Of(StatusCodes.Status400BadRequest, $"The settings are wrong. {string.Join(" ", faults)}", faults);
        if (SteeringWords.Fault(actor, "") is { } fault)
            return Problems.Wrong(Sentence(fault));
        if (await StateOfAsync(settings.Name, cancel) is { } before)
            return await OpenAlreadyAsync(before, settings, cancel);
        Wanted(settings.Name, actor, nameof(OpenFederation), "");
        var text = SettingsJson.Canonical(settings);
        await PublishAsync(new OpenFederation { Federation = settings.Name, Settings = text, Actor = actor }, cancel);
        FederationState? state = null;
        if (!await UntilAsync(async token => (state = await StateOfAsync(settings.Name, token)) is not null, cancel))
            return TypedResults.Accepted(AddressOf(settings.Name));
        return SettingsJson.Canonical(state!.Settings!) == text
            ? TypedResults.Created(AddressOf(settings.Name), await reader.DetailAsync(settings.Name, cancel))
            : await OpenAlreadyAsync(state, settings, cancel);
    }

    /// <summary>Deletes a closed federation, its log included.</summary>
    public async Task<IResult> RemoveAsync(string name, string actor, CancellationToken cancel)
    {
        if (await registry.FindAsync(name, cancel) is not { } federation)
            throw new NoSuchFederationException(name);
        var (_, state) = await reader.OfAsync(name, cancel);
        if (state.Closed is null)
            return Problems.Conflict($"Federation '{name}' is not closed: close it first.");
        Wanted(name, actor, nameof(RemoveFederation), "");
        await PublishAsync(new RemoveFederation { Federation = name, Actor = actor }, cancel);
        return await UntilAsync(async token => (await registry.FindAsync(name, token))?.Since != federation.Since, cancel)
            ? TypedResults.NoContent()
            : TypedResults.Accepted(AddressOf(name));
    }

    private static ProblemHttpResult? Refusal(FederationState state, SteeringDecision decide, bool stops)
    {
        if (state.Closed is not null && !stops)
            return Closed(state);
        try
        {
            decide(state, DateTimeOffset.UnixEpoch);
            return null;
        }
        catch (FormatException fault)
        {
            return Problems.Wrong(Sentence(fault.Message));
        }
        catch (InvalidOperationException fault)
        {
            return Problems.Conflict(fault.Message);
        }
    }

    private static ProblemHttpResult Closed(FederationState state) =>
        Problems.Conflict($"Federation '{state.Settings!.Name}' is closed: {state.Closed!.Reason}.");

    private async Task<IResult> OpenAlreadyAsync(FederationState state, FederationSettings settings, CancellationToken cancel)
    {
        string[] differences =
        [
            .. SettingsJson.Differences(state.Settings!, settings)
                .Select(member => $"{member.Path} is {member.One ?? "left out"}, not {member.Other ?? "left out"}"),
        ];
        return differences.Length > 0
            ? Problems.Of(
                StatusCodes.Status409Conflict,
                $"Federation '{settings.Name}' was opened with other settings: {string.Join("; ", differences)}.", differences)
            : state.Closed is { } closed
            ? Problems.Conflict($"Federation '{settings.Name}' is closed already: {closed.Reason}. Remove it, or take another name.")
            : TypedResults.Ok(await reader.DetailAsync(settings.Name, cancel));
    }

    /// <summary>What was sent as settings, and all that is wrong with it; null where it cannot be read at all.</summary>
    private static (FederationSettings?, IReadOnlyList<string> Faults) SettingsOf(OpenRequest request)
    {
        FederationSettings settings;
        try
        {
            if (request.Settings.ValueKind != JsonValueKind.Object)
                return (null, ["\"settings\" must be an object: what federation.json has below \"federation\"."]);
            var members = JsonObject.Create(request.Settings)!;
            // Whoever is not asked wants the best version; logs without the setting mean the last.
            members.TryAdd("keep", nameof(KeptVersion.Best));
            settings = members.Deserialize<FederationSettings>(EventLog.Json)!;
        }
        catch (Exception fault) when (fault is JsonException or ArgumentException or NotSupportedException or FormatException)
        {
            return (null, [$"They cannot be read: {fault.Message}"]);
        }
        List<string> faults = [.. settings.Faults()];
        if (settings.BaseModelDigest.Length == 0)
            faults.Add($"{nameof(FederationSettings.BaseModelDigest)} is not set: fedkseed digest MODEL prints it.");
        return (settings, [.. faults.Distinct(StringComparer.Ordinal)]);
    }

    /// <summary>Null where there is no federation of this name, or its log has not begun.</summary>
    private async Task<FederationState?> StateOfAsync(string name, CancellationToken cancel)
    {
        try
        {
            return (await reader.OfAsync(name, cancel)).State;
        }
        catch (NoSuchFederationException)
        {
            return null;
        }
    }

    private async Task PublishAsync<T>(T command, CancellationToken cancel) where T : class
    {
        using var patience = new CancellationTokenSource(Patience, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancel, patience.Token);
        try
        {
            await bus.PublishInTimeAsync(command, either.Token);
        }
        catch (OperationCanceledException fault) when (!cancel.IsCancellationRequested)
        {
            throw new BrokerAwayException($"The broker did not confirm a message within {Patience.TotalSeconds:F0} s.", fault);
        }
    }

    /// <summary>Looks at the log until something holds, soon at first. False when it took too long.</summary>
    private async Task<bool> UntilAsync(Func<CancellationToken, Task<bool>> holds, CancellationToken cancel)
    {
        var (began, pause) = (time.GetTimestamp(), FirstLook);
        while (!await holds(cancel))
        {
            if (time.GetElapsedTime(began) > Patience)
                return false;
            await Task.Delay(pause, time, cancel);
            pause = pause * 2 < LongestPause ? pause * 2 : LongestPause;
        }
        return true;
    }

    private static string AddressOf(string federation) => $"/api/federations/{federation}";

    private static string Sentence(string words) => $"{char.ToUpperInvariant(words[0])}{words[1..].TrimEnd('.')}.";

    // The log says what came of it; this, who asked, and why where the log has no place for it.
    [LoggerMessage(Level = LogLevel.Information, Message = "{Federation}: {Actor} asks for {Command}: {Reason}")]
    private partial void Wanted(string federation, string actor, string command, string reason);
}
