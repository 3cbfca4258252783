namespace FedKSeed.Bench;

/// <summary>Shows what is being measured while it is.</summary>
public delegate void Stage(string what, Action<IProgress<double>> work);

internal static class Stages
{
    /// <summary>A stage that gives something.</summary>
    public static T During<T>(this Stage stage, string what, Func<IProgress<double>, T> work)
    {
        var result = default(T)!;
        stage(what, progress => result = work(progress));
        return result;
    }
}
