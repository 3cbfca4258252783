using System.CommandLine;
using FedKSeed.Observation;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace FedKSeed.Cli.Display;

/// <summary>What a person sees of a run: a live display on a terminal, plain lines elsewhere.</summary>
public sealed class Screen
{
    private static readonly TimeSpan Refresh = TimeSpan.FromMilliseconds(250);

    private const int UnlimitedWidth = 1000;

    private readonly IAnsiConsole _console;
    private readonly bool _isLive;

    private Screen(IAnsiConsole console, bool isLive) => (_console, _isLive) = (console, isLive);

    /// <param name="isJson">The output is for a machine: people look at the error stream.</param>
    /// <param name="isVerbose">Logs would tear a live display.</param>
    public static Screen Of(InvocationConfiguration invocation, bool isJson, bool isVerbose)
    {
        ArgumentNullException.ThrowIfNull(invocation);
        var isTerminal = !isJson && !Console.IsOutputRedirected && invocation.Output == Console.Out;
        var settings = new AnsiConsoleSettings { Out = new AnsiConsoleOutput(isJson ? invocation.Error : invocation.Output) };
        if (!isTerminal)
            (settings.Ansi, settings.ColorSystem, settings.Interactive) =
                (AnsiSupport.No, ColorSystemSupport.NoColors, InteractionSupport.No);
        return new Screen(AnsiConsole.Create(settings), isTerminal && !isVerbose);
    }

    /// <summary>Whether somebody sits there who can be asked.</summary>
    public static bool IsTerminal(InvocationConfiguration invocation)
    {
        ArgumentNullException.ThrowIfNull(invocation);
        return !Console.IsInputRedirected && !Console.IsOutputRedirected && invocation.Output == Console.Out;
    }

    /// <summary>Nobody looks.</summary>
    public static Screen Silent() => Of(new InvocationConfiguration { Output = TextWriter.Null, Error = TextWriter.Null }, false, false);

    /// <summary>Shows what is being done while it is done.</summary>
    public T During<T>(string what, Func<IProgress<double>, T> work)
    {
        ArgumentNullException.ThrowIfNull(work);
        if (!_isLive)
        {
            Line(what);
            return work(new Progress<double>());
        }
        return _console.Progress().AutoClear(true)
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn())
            .Start(context => work(new Share(context.AddTask(what, maxValue: 1))));
    }

    public void During(string what, Action<IProgress<double>> work) =>
        During<object?>(what, progress =>
        {
            work(progress);
            return null;
        });

    /// <summary>Shows a federation until its end.</summary>
    public Task<T> WatchAsync<T>(FederationWatch watch, Task<T> end, TimeProvider time, CancellationToken cancel) =>
        WatchAsync(watch, () => end, time, () => FederationDisplay.OfRun, cancel);

    /// <summary>Shows a federation until its end.</summary>
    /// <param name="begin">What brings the watch up to date, once somebody looks at it.</param>
    /// <param name="note">What a live display says beside the view.</param>
    public async Task<T> WatchAsync<T>(
        FederationWatch watch, Func<Task<T>> begin, TimeProvider time, Func<string> note, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(watch);
        ArgumentNullException.ThrowIfNull(begin);
        ArgumentNullException.ThrowIfNull(time);
        ArgumentNullException.ThrowIfNull(note);
        if (!_isLive)
        {
            watch.Changed += (before, after) =>
            {
                if (RoundLine.Of(before, after, time.GetUtcNow()) is { } line)
                    Line(line);
            };
            return await begin().WaitAsync(cancel);
        }
        var end = begin();
        await _console.Live(Picture()).AutoClear(false)
            .StartAsync(async live =>
            {
                while (!end.IsCompleted && !cancel.IsCancellationRequested)
                {
                    live.UpdateTarget(Picture());
                    await Task.WhenAny(end, Task.Delay(Refresh, time, cancel));
                }
                live.UpdateTarget(Picture());
            });
        return await end.WaitAsync(cancel);

        // As large as the terminal is now: it may be resized at any time.
        IRenderable Picture() => FederationDisplay.Of(
            watch.View, time.GetUtcNow(), _console.Profile.Width, _console.Profile.Height, note());
    }

    public void Show(RunSummary summary) => _console.Write(SummaryDisplay.Of(summary, _isLive ? _console.Profile.Width : 100));

    /// <summary>Shows a table; where nobody looks it is as wide as it needs.</summary>
    public void Show(IRenderable table)
    {
        if (!_isLive)
            _console.Profile.Width = UnlimitedWidth;
        _console.Write(table);
    }

    /// <summary>A line of what happens, where no live display says it in its own words.</summary>
    public void Happened(string text)
    {
        if (!_isLive)
            Line(text);
    }

    /// <summary>A line of text, as it is.</summary>
    public void Line(string text) => _console.Profile.Out.Writer.WriteLine(text);

    private sealed class Share(ProgressTask task) : IProgress<double>
    {
        public void Report(double value) => task.Value = value;
    }
}
