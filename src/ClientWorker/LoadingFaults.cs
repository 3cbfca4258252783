namespace FedKSeed.ClientWorker;

/// <summary>What is wrong with files, gathered, so that a person hears of all of it at once.</summary>
internal sealed class LoadingFaults
{
    private readonly List<string> _faults = [];

    public int Count => _faults.Count;

    public void Add(string fault) => _faults.Add(fault);

    /// <summary>What was loaded; null where it could not be.</summary>
    public T? Try<T>(Func<T?> load) where T : class
    {
        try
        {
            return load();
        }
        catch (Exception fault) when (fault is InvalidDataException or IOException or UnauthorizedAccessException or FormatException)
        {
            Add(fault.Message);
            return null;
        }
    }

    /// <exception cref="InvalidDataException">There are any.</exception>
    public void Throw()
    {
        if (_faults.Count > 0)
            throw new InvalidDataException(string.Join(Environment.NewLine, _faults.Distinct(StringComparer.Ordinal)));
    }
}
