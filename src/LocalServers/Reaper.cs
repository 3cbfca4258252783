using System.Diagnostics;
using System.Globalization;

namespace FedKSeed.LocalServers;

/// <summary>
/// Ends this process's children when it ends without ending them itself, killed for example: a shell that reads their ids from a pipe and
/// acts when the pipe closes. The signal goes by <c>-s</c>: dash takes <c>-TERM --</c> for a wrong number.
/// </summary>
internal static class Reaper
{
    private const string Script =
        """
        ids=
        while read -r id; do
          case $id in
            -*) ids=$(printf '%s\n' $ids | grep -vxe "$id") ;;
            *) ids="$ids -$id" ;;
          esac
        done
        [ -n "$ids" ] || exit 0
        exec 2>/dev/null
        kill -s TERM -- $ids; sleep 10; kill -s KILL -- $ids
        """;

    private static readonly Lock Guard = new();
    private static StreamWriter? _pipe;

    public static void Watch(int id) => Tell(id);

    public static void Forget(int id) => Tell(-id);

    private static void Tell(int id)
    {
        lock (Guard)
        {
            _pipe ??= Process.Start(new ProcessStartInfo("setsid", ["sh", "-c", Script])
            {
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            })!.StandardInput;
            _pipe.WriteLine(id.ToString(CultureInfo.InvariantCulture));
            _pipe.Flush();
        }
    }
}
